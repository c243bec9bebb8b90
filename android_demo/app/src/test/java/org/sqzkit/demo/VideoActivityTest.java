package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.app.Activity;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.net.Uri;
import android.os.Looper;
import android.provider.MediaStore;
import android.view.ViewGroup;
import android.widget.ImageView;
import android.widget.TextView;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.shadows.ShadowMediaMetadataRetriever;
import org.robolectric.shadows.util.DataSource;
import org.sqzkit.demo.model.Prediction;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.ui.Timeline;

/** A video on a timeline: its frames, what is found in them, and what is shared of it. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class VideoActivityTest {
    private static final int RED = Screens.RED;
    private static final int GREEN = Screens.GREEN;
    private static final int BLUE = Screens.BLUE;

    private ActivityController<VideoActivity> controller;

    @Before
    public void open() throws Exception {
        Screens.useModel("colours_int8.tflite");
        controller = Robolectric.buildActivity(VideoActivity.class).setup();
        Screens.settle();
    }

    @After
    public void close() {
        controller.close();
        Screens.engine().close();
    }

    private VideoActivity screen() {
        return controller.get();
    }

    private static AppState.Video video() {
        return Screens.engine().state().video();
    }

    private static void classify(Uri uri) throws Exception {
        Screens.engine().video().classify(uri);
        Screens.settle();
    }

    private static List<String> labels() {
        return video().frames().stream().map(VideoFrame::label).collect(Collectors.toList());
    }

    private ViewGroup segments() {
        return screen().findViewById(R.id.segments);
    }

    private String segment(int number) {
        return segments().getChildAt(number).getContentDescription().toString();
    }

    private Timeline timeline() {
        return screen().findViewById(R.id.timeline);
    }

    private String at() {
        return Screens.text(screen(), R.id.at);
    }

    @Test
    public void everyFrameIsClassifiedAndEqualOnesAreOneSegment() throws Exception {
        assertFalse(Screens.shown(screen(), R.id.result));
        classify(Videos.offer("clip.mp4", RED, RED, RED, RED, GREEN, GREEN, GREEN, BLUE, BLUE, RED));
        assertNull(video().error());
        assertFalse(video().running());
        assertEquals(Arrays.asList("red", "red", "red", "red", "green", "green", "green", "blue", "blue", "red"),
                labels());
        assertEquals(50, video().frames().get(0).millis());
        assertEquals(950, video().frames().get(9).millis());
        assertEquals(4, segments().getChildCount());
        assertTrue(segment(0), segment(0).matches("0:00[.]0–0:00[.]4: red, [0-9.]+%"));
        assertTrue(segment(1), segment(1).startsWith("0:00.4–0:00.7: green, "));
        assertTrue(segment(3), segment(3).startsWith("0:00.9–0:01.0: red, "));
        assertEquals("clip.mp4, model: Colours\nFrames: 10, one every 0.1 s",
                Screens.text(screen(), R.id.summary));
        assertEquals("0:01.0", Screens.text(screen(), R.id.end));
    }

    @Test
    public void aFrameHasTheAnswerOfTheSamePhoto() throws Exception {
        Bitmap odd = Bitmap.createBitmap(301, 97, Bitmap.Config.ARGB_8888);
        for (int x = 0; x < 301; x++) {
            for (int y = 0; y < 97; y++) {
                odd.setPixel(x, y, 0xff000000 | x * 200 / 301 << 16 | y << 8 | 255 - x * y % 251);
            }
        }
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        odd.compress(Bitmap.CompressFormat.PNG, 100, png);
        Screens.engine().photos().classify(Screens.offer("odd.png", png.toByteArray()));
        Screens.settle();
        List<Prediction> photo = Screens.engine().state().photo().result().best();
        Screens.engine().video().decodeWith(uri -> Videos.reader(100, time -> odd, () -> { }));
        classify(Uri.parse("content://other.app/odd.mp4"));
        assertEquals(photo, video().frames().get(0).best());
    }

    @Test
    public void dragsAndTapsShowTheFrameAndItsAnswer() throws Exception {
        classify(Videos.offer("clip.mp4", RED, RED, GREEN, BLUE));
        timeline().setProgress(2);
        assertTrue(at(), at().matches("0:00[.]2: green, [0-9.]+%"));
        assertEquals(at(), timeline().getStateDescription().toString());
        Bitmap shown = ((android.graphics.drawable.BitmapDrawable) ((ImageView) screen().findViewById(
                R.id.photo)).getDrawable()).getBitmap();
        int pixel = shown.getPixel(shown.getWidth() / 2, shown.getHeight() / 2);
        assertTrue(Integer.toHexString(pixel), (pixel >> 8 & 255) > 150 && (pixel & 255) < 80);
        segments().getChildAt(2).performClick();
        assertEquals(3, timeline().getProgress());
        assertTrue(at(), at().contains("blue"));
        ViewGroup rows = screen().findViewById(R.id.rows);
        assertEquals("blue", ((TextView) rows.getChildAt(0).findViewById(R.id.label)).getText());
    }

    @Test
    public void eachAnswerHasAColorAndTimeRunsFromLeftToRight() throws Exception {
        classify(Videos.offer("clip.mp4", RED, GREEN, RED, 0));
        timeline().setProgress(0);
        timeline().measure(400 | 1 << 30, 100 | 1 << 30);
        timeline().layout(0, 0, 400, 100);
        Bitmap drawn = Bitmap.createBitmap(400, 100, Bitmap.Config.ARGB_8888);
        timeline().draw(new android.graphics.Canvas(drawn));
        int side = timeline().getPaddingLeft();
        int step = (400 - 2 * side) / 3;
        int bottom = 99 - timeline().getPaddingBottom();
        int red = drawn.getPixel(side + step / 4, bottom);
        int green = drawn.getPixel(side + step, bottom);
        assertNotEquals(0, red);
        assertNotEquals(red, green);
        assertEquals(red, drawn.getPixel(side + 2 * step, bottom));
        assertEquals("a frame that cannot be read", 0, drawn.getPixel(side + 3 * step, bottom));
    }

    @Test
    public void framesThatCannotBeReadAreGaps() throws Exception {
        classify(Videos.offer("clip.mp4", RED, 0, RED, RED));
        assertNull(video().error());
        assertEquals(Arrays.asList("red", null, "red", "red"), labels());
        assertEquals(2, segments().getChildCount());
        timeline().setProgress(1);
        assertTrue(at(), at().contains(screen().getString(R.string.video_unreadable)));
        assertTrue(Screens.text(screen(), R.id.summary).contains("Frames: 3,"));
    }

    @Test
    public void ofALongVideoEvenlySpacedFramesAreRead() throws Exception {
        List<Long> times = new ArrayList<>();
        AtomicBoolean closed = new AtomicBoolean();
        long hour = VideoSession.MAX_MINUTES * 60_000L;
        Screens.engine().video().decodeWith(uri -> Videos.reader(hour, time -> {
            times.add(time);
            return Videos.frame(GREEN);
        }, () -> closed.set(true)));
        classify(Uri.parse("content://other.app/long.mp4"));
        assertEquals(VideoSession.MAX_FRAMES, times.size());
        for (int i = 0; i < times.size(); i++) {
            assertEquals(30_000L * i + 15_000, (long) times.get(i));
        }
        assertTrue(closed.get());
        assertEquals(1, segments().getChildCount());
        assertTrue(segment(0), segment(0).startsWith("0:00–60:00: green, "));
        Screens.engine().video().decodeWith(
                uri -> Videos.reader(hour + 1, time -> Videos.frame(GREEN), () -> { }));
        classify(Uri.parse("content://other.app/longer.mp4"));
        assertEquals(R.string.error_video_long, video().error().resource());
        assertTrue(Screens.shown(screen(), R.id.error));
        assertFalse("the one before", Screens.shown(screen(), R.id.result));
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(10, TimeUnit.MINUTES));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Starts a video whose decoder stops at its third frame until {@code released}. */
    private static void stopAtTheThird(CountDownLatch reached, CountDownLatch released, Runnable closed) {
        int[] count = {0};
        Screens.engine().video().decodeWith(uri -> Videos.reader(1000, time -> {
            if (++count[0] == 3) {
                reached.countDown();
                await(released);
            }
            return Videos.frame(RED);
        }, closed));
        Screens.engine().video().classify(Uri.parse("content://other.app/clip.mp4"));
        await(reached);
    }

    @Test
    public void cancellingKeepsTheFramesSoFar() throws Exception {
        CountDownLatch reached = new CountDownLatch(1);
        CountDownLatch released = new CountDownLatch(1);
        CountDownLatch closed = new CountDownLatch(1);
        stopAtTheThird(reached, released, closed::countDown);
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(ProgressCard.DELAY_MILLIS));
        assertTrue(Screens.shown(screen(), R.id.progress));
        assertEquals(2, video().frames().size());
        assertEquals("follows the newest", 1, timeline().getProgress());
        assertFalse(Screens.shown(screen(), R.id.share_csv));
        timeline().setProgress(7);
        assertEquals("what is still to come cannot be seen", 1, timeline().getProgress());
        screen().findViewById(R.id.progress_cancel).performClick();
        released.countDown();
        await(closed);
        Screens.settle();
        assertFalse(video().running());
        assertEquals(2, video().frames().size());
        assertFalse(Screens.shown(screen(), R.id.progress));
        assertTrue(Screens.shown(screen(), R.id.share_csv));
    }

    @Test
    public void aDecoderThatHangsIsGivenUp() throws Exception {
        CountDownLatch reached = new CountDownLatch(1);
        CountDownLatch released = new CountDownLatch(1);
        stopAtTheThird(reached, released, () -> { });
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(2 * PhotoSession.LIMIT_MILLIS));
        assertEquals(R.string.error_timeout, video().error().resource());
        assertFalse(video().running());
        assertEquals(2, video().frames().size());
        released.countDown();
        Screens.engine().video().decodeWith(uri -> Videos.reader(100, time -> Videos.frame(BLUE), () -> { }));
        classify(Uri.parse("content://other.app/next.mp4"));
        assertEquals(Arrays.asList("blue"), labels());
        assertNull(video().error());
    }

    @Test
    public void anotherModelEndsIt() throws Exception {
        CountDownLatch reached = new CountDownLatch(1);
        CountDownLatch released = new CountDownLatch(1);
        stopAtTheThird(reached, released, () -> { });
        Screens.engine().models().choose(Screens.bundled());
        while (Screens.engine().state().models().step().running()) {
            shadowOf(Looper.getMainLooper()).idle();
            Thread.yield();
        }
        released.countDown();
        Screens.settle();
        assertEquals(R.string.error_video_model, video().error().resource());
    }

    @Test
    public void aModelThatFailsIsPutAside() throws Exception {
        Screens.useModel("fails_when_bright.tflite");
        classify(Videos.offer("clip.mp4", 0xff000000, 0xffffffff, 0xff000000));
        assertEquals(R.string.error_does_not_run, video().error().resource());
        assertEquals(1, video().frames().size());
        assertNotEquals("fails_when_bright.tflite",
                Screens.engine().state().models().current().entry().fileName());
        screen().findViewById(R.id.error_action).performClick();
        assertFalse(Screens.shown(screen(), R.id.error));
    }

    @Test
    public void whatWasTaughtAnswers() throws Exception {
        Screens.teach("mug", RED, 0xffc83214);
        Screens.teach("lawn", GREEN, 0xff18a830);
        classify(Videos.offer("clip.mp4", RED, GREEN));
        assertEquals(Arrays.asList("mug", "lawn"), labels());
    }

    private byte[] shared(String type) throws Exception {
        Screens.settle();
        Intent send = shadowOf(screen()).getNextStartedActivity().getParcelableExtra(Intent.EXTRA_INTENT);
        assertEquals(type, send.getType());
        Uri uri = send.getParcelableExtra(Intent.EXTRA_STREAM);
        try (InputStream in = new android.os.ParcelFileDescriptor.AutoCloseInputStream(
                Robolectric.buildContentProvider(PhotoProvider.class).create().get().openFile(uri, "r"))) {
            return in.readAllBytes();
        }
    }

    @Test
    public void theTimelineIsSharedAsCsvAndAsPicture() throws Exception {
        classify(Videos.offer("my, \"clip\".mp4", RED, 0, GREEN));
        Screens.draw(screen());
        screen().findViewById(R.id.share_csv).performClick();
        String[] lines = new String(shared("text/csv"), "UTF-8").split("\n");
        assertEquals(4, lines.length);
        assertEquals(10, lines[0].split(",").length);
        assertTrue(lines[1], lines[1].matches("my +clip [.]mp4,Colours,[0-9a-f]{64},50,"
                + "red,[01][.][0-9]{4},\\w+,[01][.][0-9]{4},\\w+,[01][.][0-9]{4}"));
        assertTrue(lines[2], lines[2].matches("my +clip [.]mp4,Colours,[0-9a-f]{64},150,,,,,,"));
        assertTrue(lines[3], lines[3].contains(",250,green,"));
        screen().findViewById(R.id.share_picture).performClick();
        byte[] png = shared("image/png");
        Bitmap picture = BitmapFactory.decodeByteArray(png, 0, png.length);
        assertTrue(picture.getWidth() > timeline().getWidth());
        assertEquals(255, picture.getPixel(0, 0) >>> 24);
    }

    @Test
    public void aSharedVideoIsClassifiedEvenIfItStartsTheApp() throws Exception {
        Intent send = new Intent(Intent.ACTION_SEND).setType("video/mp4")
                .putExtra(Intent.EXTRA_STREAM, Videos.offer("shared.mp4", GREEN, GREEN));
        ((DemoApp) Screens.context()).endProcess();
        Activity main = Robolectric.buildActivity(MainActivity.class, send).setup().get();
        assertEquals(VideoActivity.class.getName(),
                shadowOf(main).getNextStartedActivity().getComponent().getClassName());
        Screens.settle();
        assertEquals(Arrays.asList("green", "green"), labels());
    }

    @Test
    public void theLaboratoryLeadsHereAndThePickerOffersVideos() throws Exception {
        Activity lab = Robolectric.buildActivity(LabActivity.class).setup().get();
        lab.findViewById(R.id.video).performClick();
        assertEquals(VideoActivity.class.getName(),
                shadowOf(lab).getNextStartedActivity().getComponent().getClassName());
        screen().findViewById(R.id.choose).performClick();
        Intent pick = shadowOf(screen()).getNextStartedActivityForResult().intent;
        assertEquals(MediaStore.ACTION_PICK_IMAGES, pick.getAction());
        assertEquals("video/*", pick.getType());
        screen().onActivityResult(PhotoPicker.CHOOSE, Activity.RESULT_OK,
                new Intent().setData(Videos.offer("chosen.mp4", BLUE)));
        Screens.settle();
        assertEquals(Arrays.asList("blue"), labels());
    }

    @Test
    public void theTimelineSurvivesATurnOfThePhone() throws Exception {
        classify(Videos.offer("clip.mp4", RED, GREEN, BLUE));
        timeline().setProgress(1);
        String before = at();
        controller.recreate();
        assertEquals(before, at());
        assertEquals(3, segments().getChildCount());
    }

    /** Frames of more pixels than a photo may keep are made smaller where Android can. */
    @Test
    @Config(sdk = {24, 35})
    public void largeFramesAreMadeSmallerWhereAndroidCan() throws Exception {
        Uri uri = Videos.offer("large.mp4", RED);
        Videos.describe(uri, "yes", "100", "7680", "4320");
        ShadowMediaMetadataRetriever.addScaledFrame(DataSource.toDataSource(Screens.context(), uri),
                50_000, 1920, 1080, Videos.frame(BLUE));
        classify(uri);
        boolean can = android.os.Build.VERSION.SDK_INT >= 27;
        assertEquals(Arrays.asList(can ? "blue" : "red"), labels());
    }
}
