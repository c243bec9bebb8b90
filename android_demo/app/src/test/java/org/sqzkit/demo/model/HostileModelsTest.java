package org.sqzkit.demo.model;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Random;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

/** No file makes the reader of models fail in any way but with an {@link AppError}. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class HostileModelsTest {
    /** Damaged files of each test; more with -Dsqzkit.fuzz=100000. */
    private static final int INPUTS = Integer.getInteger("sqzkit.fuzz", 15_000);

    private static final String[] SEEDS = {"colours_int8.tflite", "foreign.tflite", "bare_float.tflite",
        "fails_when_bright.tflite", "odd_record.tflite"};
    /** Less than the metadata of each takes. */
    private static final int METADATA_BYTES = 300;
    private static final String[] METADATA = {"colours_int8.tflite", "foreign.tflite", "colours_float.tflite"};

    private static ModelFile read(byte[] content) throws AppError {
        ModelFile model = ModelFile.read(ByteBuffer.wrap(content));
        assertTrue(model.quantization().length() + model.name().length() < 3000);
        for (String label : model.labels()) {
            assertTrue(label.length() < 300);
        }
        return model;
    }

    @Test
    public void everyHostileFileIsRefused() throws Exception {
        Map<String, byte[]> files = HostileModels.refused();
        assertTrue("only " + files.size(), files.size() >= 60);
        files.forEach((name, content) -> {
            AppError error = assertThrows(name, AppError.class, () -> read(content));
            assertNotEquals(name, 0, error.resource());
        });
    }

    @Test
    public void oddFilesAreReadAllTheSame() throws Exception {
        for (Map.Entry<String, byte[]> file : HostileModels.harmless().entrySet()) {
            assertEquals(file.getKey(), 3, read(file.getValue()).classes());
        }
    }

    /** The work grows with the file, not with its square: the budget, not a clock, is the proof. */
    @Test
    public void sharedVectorsAreReadOnlyAsOftenAsTheBudgetAllows() throws Exception {
        byte[] shared = HostileModels.refused().get("60,000 tensors that share 60,000 dimensions");
        AppError error = assertThrows(AppError.class, () -> read(shared));
        assertEquals(org.sqzkit.demo.R.string.error_damaged_model, error.resource());
    }

    @Test
    public void aModelOfTooManyClassesIsSaidToBeTooComplex() throws Exception {
        byte[] many = HostileModels.refused().get("eight million empty labels");
        AppError error = assertThrows(AppError.class, () -> read(many));
        assertEquals(org.sqzkit.demo.R.string.error_model_too_complex, error.resource());
    }

    @Test
    public void damagedFilesAreReadOrRefused() throws Exception {
        for (String name : SEEDS) {
            byte[] whole = Resources.model(name);
            readOrRefuse(whole, 0, whole.length, INPUTS / SEEDS.length);
        }
    }

    /** All damage in the metadata, or in the archive of labels and preprocessing record; none in the graph. */
    @Test
    public void damagedMetadataIsReadOrRefused() throws Exception {
        for (String name : METADATA) {
            byte[] whole = Resources.model(name);
            String text = new String(whole, StandardCharsets.ISO_8859_1);
            int metadata = text.indexOf("M001");
            int archive = text.indexOf("PK\3\4");
            assertTrue(name, metadata > 0 && archive > 0);
            int count = INPUTS / METADATA.length / 2;
            int read = readOrRefuse(whole, metadata, metadata + METADATA_BYTES, count)
                    + readOrRefuse(whole, archive, whole.length, count);
            assertTrue(name + ": only " + read + " were read", read > count / 10);
        }
    }

    /** Damages a model between two offsets; returns how many were read all the same. */
    private static int readOrRefuse(byte[] whole, int begin, int end, int inputs) {
        Random random = new Random(7);
        int count = 0;
        for (int i = 0; i < inputs; i++) {
            try {
                read(damaged(whole, begin, end, random));
                count++;
            } catch (AppError e) {
                assertNotEquals(0, e.resource());
            }
        }
        return count;
    }

    private static byte[] damaged(byte[] whole, int begin, int end, Random random) {
        byte[] out = whole.clone();
        for (int j = random.nextInt(6); j >= 0; j--) {
            int at = begin + random.nextInt(end - begin);
            switch (random.nextInt(4)) {
                case 0:
                    out[at] = (byte) random.nextInt(256);
                    break;
                case 1:
                    out[at] ^= 1 << random.nextInt(8);
                    break;
                case 2: // a whole number that is at a limit
                    int value = new int[] {0, -1, 1 << 31, Integer.MAX_VALUE, out.length}[random.nextInt(5)];
                    for (int k = 0; k < 4 && at + k < out.length; k++) {
                        out[at + k] = (byte) (value >> 8 * k);
                    }
                    break;
                default: // a piece that stands somewhere else, too
                    int from = random.nextInt(out.length);
                    int count = Math.min(random.nextInt(64), out.length - Math.max(from, at));
                    System.arraycopy(whole, from, out, at, count);
            }
        }
        return random.nextInt(8) == 0 ? java.util.Arrays.copyOf(out, random.nextInt(out.length)) : out;
    }
}
