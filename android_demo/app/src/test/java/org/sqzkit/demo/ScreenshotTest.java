package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.app.Activity;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Canvas;
import android.graphics.Insets;
import android.graphics.LinearGradient;
import android.graphics.Paint;
import android.graphics.Rect;
import android.graphics.Shader;
import android.graphics.SurfaceTexture;
import android.view.View;
import android.view.ViewGroup;
import android.view.WindowInsets;
import android.widget.Switch;
import android.widget.TextView;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.List;
import org.junit.After;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.model.Additions;
import org.sqzkit.demo.model.Benchmark;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.Prediction;
import org.sqzkit.demo.model.RunOptions;
import org.sqzkit.demo.model.StorageUse;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;
import org.sqzkit.demo.ui.Timeline;

/**
 * How the screens look, at three sizes, by day and by night, and with twice as large letters.
 *
 * <p>The pictures are kept in target/screenshots and compared with the approved ones among the test
 * resources, at a third of the size. -Dsqzkit.approve=true (looked at first!) approves new ones.
 */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class ScreenshotTest {
    private static final String SMALL = "w320dp-h533dp";
    private static final String USUAL = "w411dp-h891dp";
    private static final String LYING = "w891dp-h411dp-land";
    private static final String TABLET = "w1280dp-h800dp";
    private static final int SHRINK = 3;
    /** Mean difference of a pixel's channels, of 255, that fonts and rounding may make. */
    private static final double TOLERANCE = 1.5;

    private ActivityController<? extends Activity> controller;

    @After
    public void close() {
        controller.close();
        Screens.engine().close();
    }

    @Test
    @Config(qualifiers = SMALL + "-notnight-hdpi")
    public void smallByDay() throws Exception {
        resultOn("small_day");
    }

    @Test
    @Config(qualifiers = SMALL + "-night-hdpi")
    public void smallByNight() throws Exception {
        resultOn("small_night");
    }

    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void usualByDay() throws Exception {
        resultOn("usual_day");
    }

    @Test
    @Config(qualifiers = USUAL + "-night-xhdpi")
    public void usualByNight() throws Exception {
        resultOn("usual_night");
    }

    @Test
    @Config(qualifiers = TABLET + "-notnight-mdpi")
    public void tabletByDay() throws Exception {
        resultOn("tablet_day");
    }

    @Test
    @Config(qualifiers = TABLET + "-night-mdpi")
    public void tabletByNight() throws Exception {
        resultOn("tablet_night");
    }

    /** The colors of another wallpaper, which have to be readable too. */
    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void anotherWallpaperByDay() throws Exception {
        try (Wallpaper rust = new Wallpaper()) {
            assertEquals(0xff8f4c38, Screens.context().getColor(R.color.brand));
            AccessibilityTest.checkContrasts();
            resultOn("wallpaper_day");
        }
    }

    @Test
    @Config(qualifiers = USUAL + "-night-xhdpi")
    public void anotherWallpaperByNight() throws Exception {
        try (Wallpaper rust = new Wallpaper()) {
            assertEquals(0xffffb5a0, Screens.context().getColor(R.color.brand));
            AccessibilityTest.checkContrasts();
            models("wallpaper_night");
        }
    }

    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi", fontScale = 2f)
    public void twiceAsLargeLetters() throws Exception {
        resultOn("usual_large_letters");
    }

    @Test
    @Config(qualifiers = LYING + "-notnight-xhdpi")
    public void onItsSide() throws Exception {
        resultOn("usual_landscape");
    }

    @Test
    @Config(qualifiers = "ar-ldrtl-" + USUAL + "-notnight-xhdpi")
    public void fromRightToLeft() throws Exception {
        resultOn("usual_right_to_left");
    }

    @Test
    @Config(qualifiers = "ar-ldrtl-" + USUAL + "-night-xhdpi")
    public void modelsFromRightToLeft() throws Exception {
        models("models_right_to_left");
    }

    @Test
    @Config(qualifiers = "de-" + USUAL + "-night-xhdpi")
    public void errorInGerman() throws Exception {
        main();
        Screens.engine().models().open(
                Screens.offer("custom_operator.tflite", Resources.model("custom_operator.tflite")));
        Screens.settle();
        check("error_german");
    }

    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void modelsByDay() throws Exception {
        models("models_day");
    }

    @Test
    @Config(qualifiers = SMALL + "-night-hdpi", fontScale = 2f)
    public void modelsByNightWithLargeLetters() throws Exception {
        models("models_night_large_letters");
    }

    /** Buttons for what the file lacks; the card says what was added. */
    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void additionsByDay() throws Exception {
        additions("additions_day");
    }

    @Test
    @Config(qualifiers = "de-" + SMALL + "-night-hdpi", fontScale = 2f)
    public void additionsByNightWithLargeLetters() throws Exception {
        additions("additions_night_large_letters");
    }

    /** For the eye: the picture that is shared. */
    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void sharedAnswer() throws Exception {
        main();
        classifySky();
        Screens.engine().store().updatePhoto(photo -> photo.with(result()));
        picture();
        MainActivity screen = (MainActivity) controller.get();
        save(screen.answer(), new File(System.getProperty("sqzkit.screenshots"), "answer.png"));
    }

    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void beginningWithoutSamples() throws Exception {
        byte[] digits = Files.readAllBytes(Paths.get("src/test/assets/models/digits.sqz"));
        main();
        Screens.engine().models().open(Screens.offer("digits.sqz", digits));
        Screens.settle();
        check("beginning_day");
    }

    /** For the eye: the model that came with the app on a sample of its own; nothing to compare. */
    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void aSampleWithTheBundledModel() throws Exception {
        main();
        Screens.engine().models().choose(Screens.bundled());
        Screens.settle();
        ViewGroup samples = controller.get().findViewById(R.id.samples);
        assertTrue(samples.getChildCount() > 0);
        samples.getChildAt(samples.getChildCount() - 1).performClick();
        save(picture(), new File(System.getProperty("sqzkit.screenshots"), "sample.png"));
    }

    @Test
    @Config(qualifiers = "de-" + USUAL + "-notnight-xhdpi")
    public void cameraRefusedInGerman() throws Exception {
        ActivityController<LiveActivity> live = Robolectric.buildActivity(LiveActivity.class).setup();
        controller = live;
        bars();
        live.get().onRequestPermissionsResult(1, new String[1], new int[] {-1});
        check("camera_refused_german");
    }

    @Test
    @Config(qualifiers = TABLET + "-notnight-mdpi")
    public void modelsOnATablet() throws Exception {
        models("models_tablet");
    }

    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void teachByDay() throws Exception {
        teach("teach_day");
    }

    @Test
    @Config(qualifiers = "de-" + SMALL + "-night-hdpi", fontScale = 2f)
    public void teachByNightWithLargeLetters() throws Exception {
        teach("teach_night_large_letters");
    }

    @Test
    @Config(qualifiers = "ar-ldrtl-" + USUAL + "-night-xhdpi")
    public void teachFromRightToLeft() throws Exception {
        teach("teach_right_to_left");
    }

    @Test
    @Config(qualifiers = "de-" + TABLET + "-notnight-mdpi")
    public void teachInGermanOnATablet() throws Exception {
        teach("teach_tablet");
    }

    /** The taught answer above the model's, and where the model looked. */
    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void taughtAnswerWithMap() throws Exception {
        main();
        Screens.teach("Sky", 0xff2f6fc4, 0xff5d8fd4, 0xff86abdf);
        Screens.teach("Lawn", Screens.GREEN, 0xff18a830, 0xff309020);
        classifySky();
        controller.get().findViewById(R.id.map).performClick();
        // Measured times differ at each run; these do not.
        Screens.engine().store().updatePhoto(photo -> photo.with(new Result(
                photo.result().best(), "Colours", 2_400_000, 11_300_000, 2_300_000, 11_900_000, 5,
                photo.result().taught(), photo.result().map(), null)));
        check("taught_day");
    }

    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void live() throws Exception {
        Screens.useModel("colours_int8.tflite");
        live(result());
        check("live");
    }

    private ActivityController<LiveActivity> live(Result result) {
        LiveActivityTest.addTwoCameras();
        ActivityController<LiveActivity> live = Robolectric.buildActivity(LiveActivity.class).setup();
        controller = live;
        live.get().onSurfaceTextureAvailable(new SurfaceTexture(0), 400, 600);
        live.get().show(result);
        ((TextView) live.get().findViewById(R.id.timing)).setText(
                live.get().getString(R.string.live_rate, "14.6") + "\n"
                        + ModelCard.timing(live.get(), result));
        bars();
        return live;
    }

    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void labByDay() throws Exception {
        lab("lab_day");
    }

    @Test
    @Config(qualifiers = "de-" + USUAL + "-night-xhdpi")
    public void labByNightInGerman() throws Exception {
        lab("lab_night_german");
    }

    @Test
    @Config(qualifiers = SMALL + "-notnight-hdpi", fontScale = 2f)
    public void labWithLargeLetters() throws Exception {
        lab("lab_large_letters");
    }

    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void historyByDay() throws Exception {
        history("history_day");
    }

    @Test
    @Config(qualifiers = "de-" + SMALL + "-night-hdpi", fontScale = 2f)
    public void historyByNightWithLargeLetters() throws Exception {
        history("history_night_large_letters");
    }

    @Test
    @Config(qualifiers = "ar-ldrtl-" + USUAL + "-night-xhdpi")
    public void historyFromRightToLeft() throws Exception {
        history("history_right_to_left");
    }

    @Test
    @Config(qualifiers = TABLET + "-notnight-mdpi")
    public void historyOnATablet() throws Exception {
        history("history_tablet");
    }

    @Test
    @Config(qualifiers = USUAL + "-notnight-xhdpi")
    public void videoByDay() throws Exception {
        video("video_day");
        save(((VideoActivity) controller.get()).picture(),
                new File(System.getProperty("sqzkit.screenshots"), "timeline.png"));
    }

    @Test
    @Config(qualifiers = "de-" + SMALL + "-night-hdpi", fontScale = 2f)
    public void videoByNightWithLargeLetters() throws Exception {
        video("video_night_large_letters");
    }

    @Test
    @Config(qualifiers = "ar-ldrtl-" + USUAL + "-night-xhdpi")
    public void videoFromRightToLeft() throws Exception {
        video("video_right_to_left");
    }

    @Test
    @Config(qualifiers = TABLET + "-notnight-mdpi")
    public void videoOnATablet() throws Exception {
        video("video_tablet");
    }

    @Test
    @Config(qualifiers = "de-" + LYING + "-notnight-xhdpi")
    public void videoOnItsSide() throws Exception {
        video("video_landscape");
    }

    /** A sun that goes down: blue, then red, then a green field; the middle frames cannot be read. */
    private static Bitmap sunset(long time) {
        if (time > 11_000 && time < 11_800) {
            return null;
        }
        Bitmap bitmap = Bitmap.createBitmap(320, 180, Bitmap.Config.ARGB_8888);
        Canvas canvas = new Canvas(bitmap);
        double red = Math.min(1, time / 12_000.0);
        canvas.drawRGB((int) (40 + 200 * red), (int) (110 - 70 * red), (int) (200 - 160 * red));
        Paint paint = new Paint(Paint.ANTI_ALIAS_FLAG);
        paint.setColor(0xfff4c542);
        canvas.drawCircle(160, 40 + time / 120, 30, paint);
        paint.setColor(Screens.GREEN);
        canvas.drawRect(0, Math.max(0, 170 - Math.max(0, time - 12_000) / 40), 320, 180, paint);
        return bitmap;
    }

    private void video(String name) throws Exception {
        Screens.useModel("colours_int8.tflite");
        controller = Robolectric.buildActivity(VideoActivity.class).setup();
        Screens.engine().video().decodeWith(
                uri -> Videos.reader(24_000, ScreenshotTest::sunset, () -> { }));
        Screens.engine().video().classify(android.net.Uri.parse("content://other.app/Sunset.mp4"));
        Screens.settle();
        ((Timeline) controller.get().findViewById(R.id.timeline)).setProgress(42);
        bars();
        if (name.endsWith("large_letters")) {
            picture(); // its layout says where the answer is
            ViewGroup root = controller.get().findViewById(R.id.root);
            Rect answer = new Rect();
            root.offsetDescendantRectToMyCoords(controller.get().findViewById(R.id.at), answer);
            root.scrollTo(0, answer.top);
        }
        check(name);
    }

    @Test
    @Config(qualifiers = LYING + "-night-xhdpi")
    public void modelsOnItsSide() throws Exception {
        models("models_landscape");
    }

    @Test
    @Config(qualifiers = LYING + "-notnight-xhdpi")
    public void teachOnItsSide() throws Exception {
        teach("teach_landscape");
    }

    @Test
    @Config(qualifiers = TABLET + "-night-mdpi", fontScale = 2f)
    public void teachOnATabletWithLargeLetters() throws Exception {
        teach("teach_tablet_night_large_letters");
    }

    @Test
    @Config(qualifiers = LYING + "-night-xhdpi")
    public void labOnItsSide() throws Exception {
        lab("lab_landscape");
    }

    @Test
    @Config(qualifiers = TABLET + "-notnight-mdpi")
    public void labOnATablet() throws Exception {
        lab("lab_tablet");
    }

    @Test
    @Config(qualifiers = "de-" + TABLET + "-night-mdpi", fontScale = 2f)
    public void labOnATabletWithLargeLetters() throws Exception {
        lab("lab_tablet_night_large_letters");
    }

    @Test
    @Config(qualifiers = LYING + "-night-xhdpi")
    public void historyOnItsSide() throws Exception {
        history("history_landscape");
    }

    /** Half of a tablet, or a phone that is unfolded: two columns. */
    @Test
    @Config(qualifiers = "w673dp-h841dp-notnight-xhdpi")
    public void historyUnfolded() throws Exception {
        history("history_unfolded");
    }

    private void history(String name) throws Exception {
        Screens.useModel("colours_int8.tflite");
        classifySky();
        for (int color : new int[] {Screens.RED, Screens.GREEN}) {
            Screens.engine().photos().classify(Screens.offer(color + ".jpg", Screens.photo(color)));
            Screens.settle();
        }
        List<AppState.Answer> answers = Screens.engine().state().history().answers();
        // Times differ at each run; these do not.
        List<AppState.Answer> fixed = Arrays.asList(
                new AppState.Answer(answers.get(0).photo(), "Colours", "green, 91.2%", 1_795_000_000_000L),
                new AppState.Answer(answers.get(1).photo(), "A model with a longer name", "red, 88.0%",
                        1_794_990_000_000L),
                new AppState.Answer(answers.get(2).photo(), "Colours", "blue, 87.3%", 1_794_000_000_000L));
        controller = Robolectric.buildActivity(HistoryActivity.class).setup();
        Screens.engine().store().update(state -> state.with(new AppState.History(fixed, 0, fixed.get(2))));
        bars();
        check(name);
    }

    @Test
    @Config(qualifiers = "w320dp-h640dp-notnight-hdpi")
    public void liveWithTwoModels() throws Exception {
        Screens.useModel("foreign.tflite");
        ModelEntry other = Screens.engine().state().models().current().entry();
        Screens.useModel("colours_int8.tflite");
        Screens.engine().lab().setSecond(other);
        ActivityController<LiveActivity> live = live(result());
        ((Switch) live.get().findViewById(R.id.compare)).setChecked(true);
        Screens.settle();
        live.get().show(result());
        LabActivity.drawAnswer(live.get(), live.get().findViewById(R.id.second), new Result(Arrays.asList(
                new Prediction(2, "blau", 0.642f), new Prediction(1, "grün", 0.351f)),
                "Elsewhere", 2_400_000, 18_700_000, 0, 0, 1, null, null, null));
        check("live_two");
    }

    private static void classifySky() throws Exception {
        Screens.engine().photos().classify(Screens.offer("sky.png", sky()));
        Screens.settle();
    }

    private void lab(String name) throws Exception {
        Screens.useModel("colours_float.tflite");
        ModelEntry other = Screens.engine().state().models().current().entry();
        Screens.useModel("colours_int8.tflite");
        Screens.engine().lab().setSecond(other);
        controller = Robolectric.buildActivity(LabActivity.class).setup();
        classifySky();
        // Measured times differ at each run; these do not.
        List<BenchmarkRow> rows = Arrays.asList(
                row(1, true, new Benchmark.Times(9_100_000, 14_200_000, 9_300_000, 9_900_000, 50, 2_310_000)),
                row(1, false, new Benchmark.Times(700_000, 41_000_000, 38_200_000, 41_700_000, 50, 940_000)),
                row(2, true, new Benchmark.Times(9_400_000, 9_900_000, 5_600_000, 7_100_000, 50, 2_330_000)),
                row(2, false, null));
        Screens.engine().store().updatePhoto(photo -> photo.with(result()));
        Screens.engine().store().updateLab(lab -> lab.with(rows, 0).with(new Result(Arrays.asList(
                new Prediction(2, "blue", 0.642f), new Prediction(1, "green", 0.351f)),
                "Colours", 2_400_000, 18_700_000, 0, 0, 1, null, null, null)));
        bars();
        check(name);
    }

    private static BenchmarkRow row(int threads, boolean xnnpack, Benchmark.Times times) {
        return new BenchmarkRow("Maker Phone,arm64-v8a,35,2.16.1", "Colours", "ab", 4334,
                new RunOptions(threads, xnnpack), times);
    }

    private void teach(String name) throws Exception {
        Screens.useModel("colours_int8.tflite");
        Screens.teach("Anna’s mug", Screens.RED, 0xffc83214, 0xffb41e28, 0xffe63c28);
        Screens.teach("Lawn", Screens.GREEN, 0xff18a830, 0xff309020);
        controller = Robolectric.buildActivity(TeachActivity.class).setup();
        Screens.settle();
        bars();
        check(name);
    }

    private void additions(String name) throws Exception {
        Screens.useModel("bare_float.tflite");
        Screens.engine().models().setNormalization(Additions.Choice.IMAGENET);
        Screens.settle();
        modelsOf(name);
    }

    private void models(String name) throws Exception {
        Screens.useModel("colours_int8.tflite");
        modelsOf(name);
    }

    private void modelsOf(String name) throws Exception {
        controller = Robolectric.buildActivity(ModelsActivity.class).setup();
        Screens.settle();
        Screens.engine().store().updateModels(models -> models.with(
                models.entries().subList(models.entries().size() - 1, models.entries().size()),
                new StorageUse(1, 4334, 0)));
        bars();
        check(name);
    }

    private void main() throws Exception {
        Screens.useModel("colours_int8.tflite");
        controller = Robolectric.buildActivity(MainActivity.class, new Intent()).setup();
        Screens.settle();
        bars();
    }

    private void resultOn(String name) throws Exception {
        main();
        classifySky();
        // Measured times differ at each run; these do not.
        Screens.engine().store().updatePhoto(photo -> photo.with(result()));
        check(name);
    }

    static Result result() {
        List<Prediction> best = Arrays.asList(new Prediction(2, "blue", 0.873f),
                new Prediction(1, "green", 0.094f), new Prediction(0, "red", 0.033f));
        return new Result(best, "Colours", 2_400_000, 11_300_000, 2_300_000, 11_900_000, 5, null, null, null);
    }

    private static byte[] sky() {
        Bitmap bitmap = Bitmap.createBitmap(400, 300, Bitmap.Config.ARGB_8888);
        Paint paint = new Paint(Paint.ANTI_ALIAS_FLAG);
        paint.setShader(new LinearGradient(0, 0, 0, 300, 0xff2f6fc4, 0xffb5d4f0, Shader.TileMode.CLAMP));
        Canvas canvas = new Canvas(bitmap);
        canvas.drawPaint(paint);
        paint.setShader(null);
        paint.setColor(0xfff4c542);
        canvas.drawCircle(300, 80, 36, paint);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        bitmap.compress(Bitmap.CompressFormat.PNG, 100, out);
        return out.toByteArray();
    }

    /** The system's bars, which a test's window does not have by itself. */
    private void bars() {
        Activity screen = controller.get();
        float density = screen.getResources().getDisplayMetrics().density;
        screen.findViewById(R.id.root).dispatchApplyWindowInsets(new WindowInsets.Builder()
                .setInsets(WindowInsets.Type.statusBars(), Insets.of(0, Math.round(24 * density), 0, 0))
                .setInsets(WindowInsets.Type.navigationBars(), Insets.of(0, 0, 0, Math.round(24 * density)))
                .build());
    }

    private Bitmap picture() throws Exception {
        Screens.settle();
        View decor = controller.get().getWindow().getDecorView();
        decor.measure(View.MeasureSpec.makeMeasureSpec(decor.getWidth(), View.MeasureSpec.EXACTLY),
                View.MeasureSpec.makeMeasureSpec(decor.getHeight(), View.MeasureSpec.EXACTLY));
        decor.layout(0, 0, decor.getWidth(), decor.getHeight());
        return Screens.draw(controller.get());
    }

    private void check(String name) throws Exception {
        Bitmap now = picture();
        save(now, new File(System.getProperty("sqzkit.screenshots"), name + ".png"));
        Bitmap small = Bitmap.createScaledBitmap(
                now, now.getWidth() / SHRINK, now.getHeight() / SHRINK, true);
        File approved = new File("src/test/resources/screenshots", name + ".png");
        if (Boolean.getBoolean("sqzkit.approve")) {
            save(small, approved);
        }
        assertTrue("no approved picture " + approved, approved.exists());
        double difference = difference(small, BitmapFactory.decodeFile(approved.getPath()));
        assertTrue(name + " differs by " + difference, difference <= TOLERANCE);
    }

    private static void save(Bitmap bitmap, File file) throws Exception {
        file.getParentFile().mkdirs();
        try (FileOutputStream out = new FileOutputStream(file)) {
            bitmap.compress(Bitmap.CompressFormat.PNG, 100, out);
        }
    }

    private static double difference(Bitmap a, Bitmap b) {
        if (a.getWidth() != b.getWidth() || a.getHeight() != b.getHeight()) {
            return 255;
        }
        long sum = 0;
        for (int y = 0; y < a.getHeight(); y++) {
            for (int x = 0; x < a.getWidth(); x++) {
                int p = a.getPixel(x, y);
                int q = b.getPixel(x, y);
                for (int shift = 0; shift < 24; shift += 8) {
                    sum += Math.abs((p >> shift & 255) - (q >> shift & 255));
                }
            }
        }
        return sum / (3.0 * a.getWidth() * a.getHeight());
    }
}
