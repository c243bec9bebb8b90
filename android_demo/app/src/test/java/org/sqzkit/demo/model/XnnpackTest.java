package org.sqzkit.demo.model;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.image.ArrayPixels;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;
import org.tensorflow.lite.ExecutionPlan;
import org.tensorflow.lite.Interpreter;

/** The XNNPACK switch really switches, and changes no answer, for every quantization. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class XnnpackTest {
    private static final String[] DELEGATED = {"colours_int8", "colours_per_tensor", "colours_uint8",
        "colours_float", "colours_float16", "colours_dynamic", "bare_float", "foreign"};

    /** XNNPACK has no kernels with 16-bit activations. */
    private static final String NOT_DELEGATED = "colours_int16x8";

    private static final int PICTURES = 20;
    /** One step of an int8 softmax, and a little for rounding. */
    private static final double STEP = 1.01 / 256;

    private static int nodes(String name, boolean xnnpack) throws Exception {
        ByteBuffer content = Resources.direct(Resources.model(name + ".tflite"));
        try (Interpreter interpreter =
                new Interpreter(content, Classifier.settings(new RunOptions(1, xnnpack)))) {
            return ExecutionPlan.length(interpreter);
        }
    }

    private static Classifier open(String name, RunOptions options) throws Exception {
        ByteBuffer content = Resources.direct(Resources.model(name + ".tflite"));
        return Classifier.open(ModelFile.read(content), content, options);
    }

    private static ArrayPixels picture(int seed) {
        Random random = new Random(seed);
        int[] pixels = new int[40 * 50];
        int color = random.nextInt();
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = color ^ random.nextInt() & 0x1f1f1f;
        }
        return new ArrayPixels(pixels, 40, 50);
    }

    @Test
    public void takesOverTheNodesOfAModel() throws Exception {
        for (String name : DELEGATED) {
            int with = nodes(name, true);
            int without = nodes(name, false);
            assertTrue(name + ": " + with + " of " + without, with < without);
        }
        assertEquals(nodes(NOT_DELEGATED, false), nodes(NOT_DELEGATED, true));
    }

    @Test
    public void changesNoAnswerOfAnyQuantization() throws Exception {
        for (String name : DELEGATED) {
            assertSameAnswers(name);
        }
        assertSameAnswers(NOT_DELEGATED);
    }

    private static void assertSameAnswers(String name) throws Exception {
        try (Classifier with = open(name, new RunOptions(1, true));
                Classifier without = open(name, new RunOptions(1, false));
                Classifier threads = open(name, new RunOptions(RunOptions.maxThreads(), true))) {
            for (int i = 0; i < PICTURES; i++) {
                float[] expected = without.classify(picture(i)).probabilities;
                assertClose(name + ", picture " + i, expected, with.classify(picture(i)));
                assertClose(name + ", picture " + i, expected, threads.classify(picture(i)));
            }
        }
    }

    private static void assertClose(
            String message, float[] expected, Classifier.Classification found) {
        for (int k = 0; k < expected.length; k++) {
            assertEquals(message, expected[k], found.probabilities[k], STEP);
        }
    }
}
