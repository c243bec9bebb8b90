package org.sqzkit.demo.phone;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.image.ArrayPixels;
import org.sqzkit.demo.image.BitmapPixels;
import org.sqzkit.demo.image.PhotoLoader;
import org.sqzkit.demo.image.Pixels;
import org.sqzkit.demo.image.Squares;
import org.sqzkit.demo.model.Classifier;
import org.sqzkit.demo.model.ModelStore;
import org.sqzkit.demo.model.OpenModel;
import org.sqzkit.demo.model.RunOptions;
import org.tensorflow.lite.Interpreter;

/**
 * The model in the APK on the libraries in the APK, all three of them.
 *
 * <p>-Dsqzkit.expected=FOLDER adds the comparison with Python's LiteRT: a folder that
 * tests/android/expected_answers.py wrote for the very model that is bundled.
 */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class BundledModelTest {
    private static final double AGREEING_ON_X86 = 0.98;
    private static final int ON_ARM = 10;

    private final ModelStore store = new ModelStore(RuntimeEnvironment.getApplication());

    private OpenModel bundled() throws Exception {
        return store.open(store.list().get(0), (done, total) -> { });
    }

    private static byte[] bytes(ByteBuffer content) {
        byte[] out = new byte[content.capacity()];
        ByteBuffer whole = content.duplicate();
        whole.rewind();
        whole.get(out);
        return out;
    }

    private static Pixels noise(int seed) {
        Random random = new Random(seed);
        int[] pixels = new int[60 * 40];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = random.nextInt();
        }
        return new ArrayPixels(pixels, 60, 40);
    }

    /**
     * On the photographs for the emulated processors, or on noise where Python's answers are not at
     * hand. Both emulators run at the same time: they are what takes longest of all tests.
     */
    @Test
    public void theThreeLibrariesAgreeByteForByteAndTopOneOnArmIsPythons() throws Exception {
        OpenModel model = bundled();
        Expected expected = Expected.orNull(model);
        List<byte[]> inputs = new ArrayList<>();
        ExecutorService phones = Executors.newFixedThreadPool(2);
        try (Classifier classifier = new Classifier(model.file(), model.content(), RunOptions.usual())) {
            for (Pixels picture : expected == null ? List.of(noise(1)) : expected.picturesOnArm()) {
                inputs.add(bytes(classifier.encode(Squares.cut(picture, model.file().geometry()))));
            }
            assertEquals(expected == null ? 1 : ON_ARM, inputs.size());
            Future<List<byte[]>> wide = phones.submit(() -> onArm(model, "arm64-v8a", true, inputs));
            Future<List<byte[]>> narrow = phones.submit(() -> onArm(model, "armeabi-v7a", false, inputs));
            for (int i = 0; i < inputs.size(); i++) {
                byte[] here = onX86(model, inputs.get(i));
                assertArrayEquals(here, wide.get().get(i));
                assertArrayEquals(here, narrow.get().get(i));
                if (expected != null) {
                    int photograph = expected.onArm.get(i);
                    assertEquals(expected.photographs.get(photograph).getName(),
                            (int) expected.top.get(photograph),
                            classifier.best(classifier.decode(here), 1).get(0).index());
                }
            }
        } finally {
            phones.shutdown();
        }
        System.out.println("three libraries: the same bytes for " + inputs.size()
                + (expected == null ? " input" : " photographs, top-1 as in Python"));
    }

    private static byte[] onX86(OpenModel model, byte[] input) {
        Interpreter.Options options = new Interpreter.Options();
        options.setNumThreads(1);
        options.setUseXNNPACK(false);
        try (Interpreter interpreter = new Interpreter(model.content(), options)) {
            ByteBuffer in = ByteBuffer.allocateDirect(input.length).order(ByteOrder.nativeOrder());
            in.put(input).rewind();
            ByteBuffer out = ByteBuffer.allocateDirect(interpreter.getOutputTensor(0).numBytes())
                    .order(ByteOrder.nativeOrder());
            interpreter.run(in, out);
            return bytes(out);
        }
    }

    private static List<byte[]> onArm(OpenModel model, String abi, boolean wide, List<byte[]> inputs)
            throws Exception {
        Path library = Apk.library(abi, Paths.get("target/phone-lib"));
        List<byte[]> outputs = new ArrayList<>();
        try (EmulatedPhone phone = new EmulatedPhone(library, wide, bytes(model.content()))) {
            for (byte[] input : inputs) {
                outputs.add(phone.run(input));
            }
        }
        return outputs;
    }

    @Test
    public void topOneIsPythonsOnX86() throws Exception {
        Expected expected = Expected.orNull(bundled());
        assumeTrue("needs -Dsqzkit.expected", expected != null);
        int same = 0;
        try (Classifier classifier =
                new Classifier(expected.model.file(), expected.model.content(), RunOptions.usual())) {
            for (int i = 0; i < expected.photographs.size(); i++) {
                Pixels photo = new BitmapPixels(PhotoLoader.load(expected.photographs.get(i)));
                float[] found = classifier.classify(photo).probabilities();
                same += classifier.best(found, 1).get(0).index() == expected.top.get(i) ? 1 : 0;
            }
        }
        System.out.println("x86_64: top-1 as in Python on " + same + " of " + expected.top.size());
        assertTrue("only " + same, same >= AGREEING_ON_X86 * expected.top.size());
    }

    /** Photographs and the class that Python's LiteRT gives each. */
    private static final class Expected {
        final OpenModel model;
        final List<File> photographs = new ArrayList<>();
        final List<Integer> top = new ArrayList<>();
        final List<Integer> onArm = new ArrayList<>();

        private Expected(OpenModel model, JSONObject answers) throws Exception {
            this.model = model;
            JSONArray list = answers.getJSONArray("photographs");
            for (int i = 0; i < list.length(); i++) {
                JSONObject answer = list.getJSONObject(i);
                photographs.add(new File(answer.getString("file")));
                top.add(answer.getInt("top"));
                if (answer.getBoolean("on_arm")) {
                    onArm.add(i);
                }
            }
        }

        List<Pixels> picturesOnArm() throws Exception {
            List<Pixels> pictures = new ArrayList<>();
            for (int i : onArm) {
                pictures.add(new BitmapPixels(PhotoLoader.load(photographs.get(i))));
            }
            return pictures;
        }

        static Expected orNull(OpenModel model) throws Exception {
            String folder = System.getProperty("sqzkit.expected", "");
            if (folder.isEmpty()) {
                return null;
            }
            JSONObject answers = new JSONObject(
                    Files.readString(Paths.get(folder, "answers.json")));
            assertEquals("the answers are of another model than the APK's",
                    answers.getString("model_sha256"), model.sha256());
            return new Expected(model, answers);
        }
    }
}
