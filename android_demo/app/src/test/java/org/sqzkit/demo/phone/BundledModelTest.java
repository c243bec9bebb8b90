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
import org.sqzkit.demo.image.Resizer;
import org.sqzkit.demo.model.Classifier;
import org.sqzkit.demo.model.ModelStore;
import org.sqzkit.demo.model.LoadedModel;
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

    private final ModelStore store = new ModelStore(RuntimeEnvironment.getApplication());

    /** The first model in the APK; the other tests have a smaller one. */
    private LoadedModel bundled() throws Exception {
        String name = Apk.names("assets/models/").get(0);
        File copy = store.newIncoming();
        Files.write(copy.toPath(), Apk.read(name));
        return store.read(copy, new File(name).getName(), (done, total) -> { });
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

    @Test
    public void theThreeLibrariesAgreeByteForByte() throws Exception {
        LoadedModel model = bundled();
        byte[] square = new Resizer(model.file().geometry()).resizeAndCrop(noise(1));
        byte[] input = encoded(model, square);
        byte[] expected = onX86(model, input);
        assertArrayEquals(expected, onArm(model, "arm64-v8a", true, input));
        assertArrayEquals(expected, onArm(model, "armeabi-v7a", false, input));
    }

    private static byte[] encoded(LoadedModel model, byte[] square) throws Exception {
        try (Classifier classifier = Classifier.open(model.file(), model.content(), RunOptions.defaults())) {
            return bytes(classifier.encode(square));
        }
    }

    private static byte[] onX86(LoadedModel model, byte[] input) {
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

    private static byte[] onArm(LoadedModel model, String abi, boolean wide, byte[] input)
            throws Exception {
        Path library = Apk.library(abi);
        try (EmulatedPhone phone = new EmulatedPhone(library, wide, bytes(model.content()), false)) {
            return phone.run(input);
        }
    }

    @Test
    public void topOneIsPythonsOnX86() throws Exception {
        Expected expected = Expected.load(bundled());
        int same = 0;
        try (Classifier classifier =
                Classifier.open(expected.model.file(), expected.model.content(), RunOptions.defaults())) {
            for (int i = 0; i < expected.photographs.size(); i++) {
                Pixels photo = new BitmapPixels(PhotoLoader.load(expected.photographs.get(i)));
                float[] found = classifier.classify(photo).probabilities;
                same += classifier.topK(found, 1).get(0).index() == expected.top.get(i) ? 1 : 0;
            }
        }
        System.out.println("x86_64: top-1 as in Python on " + same + " of " + expected.top.size());
        assertTrue("only " + same, same >= AGREEING_ON_X86 * expected.top.size());
    }

    @Test
    public void topOneIsPythonsOnArm64() throws Exception {
        topOneOnArm("arm64-v8a", true);
    }

    @Test
    public void topOneIsPythonsOnArm32() throws Exception {
        topOneOnArm("armeabi-v7a", false);
    }

    private void topOneOnArm(String abi, boolean wide) throws Exception {
        Expected expected = Expected.load(bundled());
        Path library = Apk.library(abi);
        try (EmulatedPhone phone =
                        new EmulatedPhone(library, wide, bytes(expected.model.content()), wide);
                Classifier classifier = Classifier.open(
                        expected.model.file(), expected.model.content(), RunOptions.defaults())) {
            for (int i : expected.onArm) {
                Pixels photo = new BitmapPixels(PhotoLoader.load(expected.photographs.get(i)));
                byte[] square = new Resizer(expected.model.file().geometry()).resizeAndCrop(photo);
                byte[] out = phone.run(bytes(classifier.encode(square)));
                float[] found = classifier.decode(out);
                assertEquals(abi + " " + expected.photographs.get(i).getName(),
                        (int) expected.top.get(i), classifier.topK(found, 1).get(0).index());
            }
        }
    }

    /** Photographs and the class that Python's LiteRT gives each. */
    private static final class Expected {
        final LoadedModel model;
        final List<File> photographs = new ArrayList<>();
        final List<Integer> top = new ArrayList<>();
        final List<Integer> onArm = new ArrayList<>();

        private Expected(LoadedModel model, JSONObject answers) throws Exception {
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

        static Expected load(LoadedModel model) throws Exception {
            String folder = System.getProperty("sqzkit.expected", "");
            assumeTrue("needs -Dsqzkit.expected", !folder.isEmpty());
            JSONObject answers = new JSONObject(
                    Files.readString(Paths.get(folder, "answers.json")));
            assertEquals("the answers are of another model than the APK's",
                    answers.getString("model_sha256"), model.sha256());
            return new Expected(model, answers);
        }
    }
}
