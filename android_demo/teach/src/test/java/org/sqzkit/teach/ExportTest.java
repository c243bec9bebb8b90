package org.sqzkit.teach;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.Test;

/** Models that Python's program made teachable and exported: the same bytes here. */
public class ExportTest {
    private static final Path MODELS = Paths.get(
            System.getProperty("models", "../app/src/test/resources/models"));

    private static byte[] model(String name) throws IOException {
        return name.startsWith("colours") ? Files.readAllBytes(MODELS.resolve(name + ".tflite"))
                : Golden.bytes(name + ".tflite");
    }

    private static LastLayer find(byte[] content) throws HeadException {
        return LastLayer.find(ByteBuffer.wrap(content));
    }

    private static String sha256(byte[] content) {
        return String.format("%064x", new BigInteger(1, LastLayer.sha256().digest(content)));
    }

    private static HeadException refused(byte[] content, Head head) {
        try {
            Export.export(content, head);
        } catch (HeadException error) {
            return error;
        }
        throw new AssertionError("not refused");
    }

    @Test
    public void writesTheBytesThatPythonWrites() throws Exception {
        assertArrayEquals(Golden.bytes("export.tflite"),
                Export.export(Golden.bytes("export_base.tflite"), Golden.head("export")));
    }

    @Test
    public void writesThemForEveryKindOfModel() throws Exception {
        Map<?, ?> all = Json.parse(
                new String(Golden.bytes("exports.json"), StandardCharsets.UTF_8));
        assertEquals(9, all.size());
        for (Map.Entry<?, ?> one : all.entrySet()) {
            String name = (String) one.getKey();
            Map<?, ?> expected = (Map<?, ?>) one.getValue();
            byte[] base = model(name);
            Head head = Golden.head(name);
            head.checkModel(find(base).digest(), find(base).size());
            assertEquals(name, expected.get("teachable"), sha256(find(base).teachable()));
            assertEquals(name, expected.get("exported"), sha256(Export.export(base, head)));
        }
    }

    @Test
    public void aTeachableFileStaysAndKeepsItsDigest() throws Exception {
        byte[] base = model("colours_int8");
        byte[] teachable = find(base).teachable();
        LastLayer layer = find(teachable);
        assertFalse(find(base).isTeachable());
        assertTrue(layer.isTeachable());
        assertEquals(3, layer.outputs());
        assertEquals(3, layer.mapClasses());
        assertArrayEquals(teachable, layer.teachable());
        assertArrayEquals(find(base).digest(), layer.digest());
        assertEquals(2, find(model("dense")).outputs());
        assertEquals(0, find(model("dense")).mapClasses());
    }

    @Test
    public void anExportedFileCanBeTaughtOnward() throws Exception {
        byte[] base = model("colours_int8");
        Head head = Golden.head("colours_int8");
        byte[] exported = Export.export(base, head);
        assertArrayEquals(exported, Export.export(base, head));
        assertArrayEquals(find(base).digest(), find(exported).digest());
        head.rename("blue", "a longer name than before, with ü");
        byte[] again = Export.export(exported, head);
        assertTrue(new String(again, StandardCharsets.UTF_8).contains("a longer name than before, with ü\n"));
    }

    @Test
    public void refusesOtherHeadsAndSingleClasses() throws Exception {
        byte[] base = model("colours_int8");
        assertSame(HeadException.Code.OTHER_MODEL, refused(base, Golden.head("colours_float")).code());
        Head head = Golden.head("colours_int8");
        head.rename("red", "blue");
        head.rename("green", "blue");
        assertSame(HeadException.Code.NOTHING_TAUGHT, refused(base, head).code());
    }

    @Test
    public void modelsOfAnotherShapeAreRefused() throws Exception {
        Head head = Golden.head("colours_int8");
        for (String name : new String[] {"fails_when_bright", "column_output"}) {
            byte[] content = Files.readAllBytes(MODELS.resolve(name + ".tflite"));
            HeadException error = refused(content, head);
            assertTrue(error.getMessage(), error.code() == HeadException.Code.NOT_TEACHABLE
                    || error.code() == HeadException.Code.OTHER_MODEL);
        }
        assertSame(HeadException.Code.NOT_TEACHABLE, refused(new byte[100], head).code());
        assertSame(HeadException.Code.NOT_TEACHABLE, refused(new byte[3], head).code());
    }

    @Test
    public void damagedModelsGiveAModelOrAnError() throws Exception {
        byte[] base = model("colours_int8");
        Head head = Golden.head("colours_int8");
        Random random = new Random(0);
        int done = 0;
        for (int i = 0; i < 2000; i++) {
            byte[] changed = base.clone();
            for (int k = 0; k < 3; k++) {
                changed[random.nextInt(base.length)] = (byte) random.nextInt();
            }
            if (i % 10 == 0) {
                changed = Arrays.copyOf(changed, random.nextInt(base.length));
            }
            try {
                done += Export.export(changed, head).length > 0 ? 1 : 0;
            } catch (HeadException error) {
                assertTrue(error.getMessage().length() > 10);
            }
        }
        assertTrue(done + " of 2000", done > 100 && done < 1900);
    }

    @Test
    public void roundsToFloat16AsProcessorsDo() {
        double[] values = {0, 1, -2, 65504, 65520, 1e9, 0x1p-14, 0x1p-24, 0x1p-25, 0x1.8p-24,
            1 + 0x1p-11, 1 + 0x3p-11, 2047.5, -0.0};
        int[] expected = {0, 0x3c00, 0xc000, 0x7bff, 0x7c00, 0x7c00, 0x0400, 1, 0, 2,
            0x3c00, 0x3c02, 0x6800, 0x8000};
        for (int i = 0; i < values.length; i++) {
            assertEquals(String.valueOf(values[i]), expected[i], Export.half(values[i]) & 0xffff);
        }
    }

    @Test
    public void aMapSumsToTheFeaturesScore() throws Exception {
        LastLayer layer = find(model("colours_int8"));
        int[] places = layer.places();
        ByteBuffer activation = ByteBuffer.allocate(layer.activationBytes(1));
        new Random(1).nextBytes(activation.array());
        double[] weights = new Random(2).doubles(layer.size()).toArray();
        float[] map = layer.map(activation, weights);
        assertEquals(places[0] * places[1], map.length);
        short[] features = layer.average(activation);
        double mean = 0;
        for (float value : map) {
            mean += value / map.length;
        }
        double score = 0;
        for (int i = 0; i < weights.length; i++) {
            score += weights[i] * features[i] / Features.STEPS;
        }
        assertEquals(score, mean, 0.1);
        assertArrayEquals(Features.ofInt8(activation.array(), layer.size(),
                (int) layer.features.zero), features);
    }
}
