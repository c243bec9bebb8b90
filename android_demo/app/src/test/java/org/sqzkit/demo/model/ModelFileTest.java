package org.sqzkit.demo.model;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.R;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.image.Geometry;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class ModelFileTest {
    private static ModelFile read(String name) throws Exception {
        return ModelFile.read(ByteBuffer.wrap(Resources.model(name)));
    }

    private static void assertRefused(int reason, byte[] content) {
        try {
            ModelFile.read(ByteBuffer.wrap(content));
            fail("not refused");
        } catch (AppError e) {
            assertEquals(e.getMessage(), reason, e.resource());
        }
    }

    @Test
    public void readsEverythingFromOurOwnFiles() throws Exception {
        ModelFile model = read("colours_int8.tflite");
        assertEquals(Arrays.asList("red", "green", "blue"), model.labels());
        assertEquals(new Geometry(false, 36, 36, 32, 32), model.geometry());
        assertEquals("Colours", model.name());
        assertEquals("sqzkit", model.author());
        assertEquals("Apache-2.0", model.licence());
        assertEquals("int8, per channel", model.quantization());
        assertEquals("int8", model.inputType());
        assertFalse(model.lacksNormalization());
        assertTrue(model.probabilities);
        assertEquals(3, model.classes());
        assertArrayEquals(new int[] {1, 32, 32, 3}, model.input.shape());
        assertEquals(1f, model.input.scale(), 0);
        assertEquals(-128, model.input.zeroPoint());
    }

    @Test
    public void knowsTheInputTypes() throws Exception {
        assertEquals("uint8", read("colours_uint8.tflite").inputType());
        assertEquals("float32", read("colours_float.tflite").inputType());
        assertEquals("float32", read("colours_float.tflite").quantization());
    }

    @Test
    public void readsStandardMetadataOfOthers() throws Exception {
        ModelFile model = read("foreign.tflite");
        assertEquals(Arrays.asList("rot", "grün", "blau"), model.labels());
        assertArrayEquals(new float[] {127.5f, 127.5f, 127.5f}, model.normalization.mean(), 0);
        assertEquals(1f, model.normalization.apply(0, 255), 1e-6);
        assertEquals(Geometry.covering(32, 32), model.geometry());
    }

    @Test
    public void goesOnWithoutMetadata() throws Exception {
        ModelFile model = read("bare_float.tflite");
        assertNull(model.label(2));
        assertTrue(model.lacksNormalization());
        assertEquals(-1f, model.normalization.apply(0, 0), 1e-6);
    }

    @Test
    public void saysWhyAFileIsNoImageClassifier() throws Exception {
        assertRefused(R.string.error_not_a_model, "no model at all".getBytes());
        assertRefused(R.string.error_not_a_model, new byte[0]);
        assertRefused(R.string.error_label_count, Resources.model("four_labels.tflite"));
        assertRefused(R.string.error_outputs, Resources.model("two_outputs.tflite"));
        assertRefused(R.string.error_input_shape, Resources.model("grey_input.tflite"));
    }

    @Test
    public void anyDamageIsAnAppError() throws Exception {
        Random random = new Random(1);
        for (String name : new String[] {"colours_int8.tflite", "foreign.tflite"}) {
            byte[] whole = Resources.model(name);
            for (int i = 0; i < 5000; i++) {
                byte[] damaged = whole.clone();
                for (int j = random.nextInt(4); j >= 0; j--) {
                    damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
                }
                if (i % 4 == 0) {
                    damaged = Arrays.copyOf(damaged, random.nextInt(damaged.length));
                }
                try {
                    ModelFile.read(ByteBuffer.wrap(damaged)).quantization();
                } catch (AppError e) {
                    assertTrue(e.resource() != 0);
                }
            }
        }
    }
}
