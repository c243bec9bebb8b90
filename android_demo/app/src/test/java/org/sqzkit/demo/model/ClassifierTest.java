package org.sqzkit.demo.model;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import android.graphics.Color;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.R;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.image.ArrayPixels;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

/** Small models on TensorFlow Lite's own x86_64 library. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class ClassifierTest {
    private static final int[] COLORS = {
        Color.rgb(220, 30, 20), Color.rgb(10, 200, 40), Color.rgb(20, 30, 210)
    };

    private static Classifier open(String name, RunOptions options) throws Exception {
        ByteBuffer content = Resources.direct(Resources.model(name));
        return Classifier.open(ModelFile.read(content), content, options);
    }

    private static ArrayPixels picture(int color) {
        int[] pixels = new int[80 * 50];
        Arrays.fill(pixels, color);
        return new ArrayPixels(pixels, 80, 50);
    }

    @Test
    public void everyInputTypeGivesTheSameAnswer() throws Exception {
        String[] names = {"colours_int8.tflite", "colours_uint8.tflite", "colours_float.tflite",
            "bare_float.tflite", "foreign.tflite", "planar.tflite"};
        for (String name : names) {
            try (Classifier classifier = open(name, RunOptions.defaults())) {
                for (int color = 0; color < 3; color++) {
                    float[] found = classifier.classify(picture(COLORS[color])).probabilities;
                    List<Prediction> best = classifier.topK(found, 5);
                    assertEquals(name, color, best.get(0).index());
                    assertEquals(name, 3, best.size());
                    assertEquals(name, 1, found[0] + found[1] + found[2], 0.02);
                }
            }
        }
    }

    @Test
    public void everyOptionOfTheDeviceGivesTheSameAnswer() throws Exception {
        for (int threads = 1; threads <= RunOptions.maxThreads(); threads++) {
            for (boolean xnnpack : new boolean[] {false, true}) {
                try (Classifier one = open("colours_int8.tflite", new RunOptions(threads, xnnpack))) {
                    float[] found = one.classify(picture(COLORS[1])).probabilities;
                    assertEquals(1, one.topK(found, 1).get(0).index());
                }
            }
        }
    }

    @Test
    public void timesAreMeasuredSeparately() throws Exception {
        try (Classifier classifier = open("colours_int8.tflite", RunOptions.defaults())) {
            Classifier.Classification done = classifier.classify(picture(COLORS[0]));
            assertTrue(done.preprocessing > 0);
            assertTrue(done.inference > 0);
        }
    }

    @Test
    public void equalProbabilitiesKeepTheOrderOfTheClasses() throws Exception {
        try (Classifier classifier = open("colours_int8.tflite", RunOptions.defaults())) {
            List<Prediction> best = classifier.topK(new float[] {0.2f, 0.4f, 0.4f}, 2);
            assertEquals(1, best.get(0).index());
            assertEquals("green", best.get(0).label());
            assertEquals(2, best.get(1).index());
        }
    }

    @Test
    public void namesTheOperationThatIsMissing() throws Exception {
        try {
            open("custom_operator.tflite", RunOptions.defaults()).close();
            fail("not refused");
        } catch (AppError e) {
            assertEquals(e.getMessage(), R.string.error_operator, e.resource());
            assertTrue(e.getMessage(), e.getMessage().contains("FancyConvolution"));
        }
    }
}
