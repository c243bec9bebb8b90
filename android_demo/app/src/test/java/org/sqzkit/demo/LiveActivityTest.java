package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.content.Context;
import android.content.Intent;
import android.graphics.Matrix;
import android.graphics.RectF;
import android.graphics.SurfaceTexture;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraManager;
import android.os.Bundle;
import android.os.HandlerThread;
import android.os.Looper;
import android.provider.Settings;
import android.util.Size;
import android.view.Surface;
import android.view.TextureView;
import android.view.ViewGroup;
import android.widget.Switch;
import android.widget.TextView;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.shadows.ShadowActivity;
import org.robolectric.shadows.ShadowCameraCharacteristics;
import org.robolectric.shadows.ShadowDisplay;
import org.robolectric.shadows.ShadowSystemClock;
import org.sqzkit.demo.image.ArrayPixels;
import org.sqzkit.demo.image.Geometry;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.phone.PhoneTestRunner;

/** The live view: permission, frames, rate; no camera, a camera that is refused or broken. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class LiveActivityTest {
    private static final long CONVERSION_NANOS = 5_000_000;

    private ActivityController<LiveActivity> controller;

    @Before
    public void model() throws Exception {
        Screens.useModel("colours_int8.tflite");
    }

    @After
    public void close() {
        if (controller != null) {
            controller.close();
        }
        Screens.engine().close();
    }

    private LiveActivity open() {
        controller = Robolectric.buildActivity(LiveActivity.class).setup();
        return controller.get();
    }

    private static void grant() {
        shadowOf(RuntimeEnvironment.getApplication()).grantPermissions(Manifest.permission.CAMERA);
    }

    private static void addCamera() {
        addCamera("0", CameraCharacteristics.LENS_FACING_BACK, 90);
    }

    /** A back camera with a light, and a front camera; the app may use them. */
    static void addTwoCameras() {
        grant();
        addCamera();
        addCamera("1", CameraCharacteristics.LENS_FACING_FRONT, 270);
    }

    private static void addCamera(String id, int facing, int sensorTurn) {
        CameraManager cameras =
                (CameraManager) Screens.context().getSystemService(Context.CAMERA_SERVICE);
        CameraCharacteristics facts = ShadowCameraCharacteristics.newCameraCharacteristics();
        shadowOf(facts).set(CameraCharacteristics.LENS_FACING, facing);
        shadowOf(facts).set(CameraCharacteristics.SENSOR_ORIENTATION, sensorTurn);
        shadowOf(facts).set(CameraCharacteristics.FLASH_INFO_AVAILABLE,
                facing == CameraCharacteristics.LENS_FACING_BACK);
        shadowOf(cameras).addCamera(id, facts);
    }

    private static String firstRow(LiveActivity screen) {
        ViewGroup rows = screen.findViewById(R.id.rows);
        return ((TextView) rows.getChildAt(0).findViewById(R.id.label)).getText().toString();
    }

    private String error() {
        shadowOf(Looper.getMainLooper()).idle();
        return Screens.shown(controller.get(), R.id.error)
                ? Screens.text(controller.get(), R.id.error_text) : "";
    }

    @Test
    public void asksForTheCameraOnlyWhenItOpens() {
        LiveActivity screen = open();
        ShadowActivity.PermissionsRequest asked = shadowOf(screen).getLastRequestedPermission();
        assertEquals(Manifest.permission.CAMERA, asked.requestedPermissions[0]);
        screen.onRequestPermissionsResult(asked.requestCode, asked.requestedPermissions, new int[] {-1});
        assertEquals(screen.getString(R.string.error_camera_blocked), error());
    }

    @Test
    public void doesNotAskAgainWhenTheScreenIsTurned() {
        LiveActivity screen = open();
        refuse(screen);
        controller.recreate();
        assertNull(shadowOf(controller.get()).getLastRequestedPermission());
        assertEquals(screen.getString(R.string.error_camera_blocked), error());
    }

    private static void refuse(LiveActivity screen) {
        ShadowActivity.PermissionsRequest asked = shadowOf(screen).getLastRequestedPermission();
        screen.onRequestPermissionsResult(
                asked.requestCode, asked.requestedPermissions, new int[] {-1});
    }

    /** "Only this time" ends with the process, which does not mean that the user refused. */
    @Test
    public void asksAgainWhenAPermissionForOneTimeHasExpired() {
        grant();
        open();
        Bundle saved = new Bundle();
        controller.pause().stop().saveInstanceState(saved).destroy();
        shadowOf(RuntimeEnvironment.getApplication()).denyPermissions(Manifest.permission.CAMERA);
        controller = Robolectric.buildActivity(LiveActivity.class).setup(saved);
        assertNotNull(shadowOf(controller.get()).getLastRequestedPermission());
        assertEquals("", error());
    }

    @Test
    public void aRefusalThatIsNotFinalOffersToAskAgain() {
        LiveActivity screen = open();
        shadowOf(screen.getPackageManager()).setShouldShowRequestPermissionRationale(
                Manifest.permission.CAMERA, true);
        refuse(screen);
        assertEquals(screen.getString(R.string.error_camera_refused), error());
        assertEquals(screen.getString(R.string.allow_camera), Screens.text(screen, R.id.error_action));
    }

    @Test
    public void saysWhenThereIsNoCamera() {
        grant();
        LiveActivity screen = open();
        screen.onSurfaceTextureAvailable(new SurfaceTexture(0), 400, 600);
        assertEquals(screen.getString(R.string.error_no_camera), error());
    }

    @Test
    public void opensTheBackCameraAndClosesItWithTheScreen() {
        grant();
        addCamera();
        LiveActivity screen = open();
        screen.onSurfaceTextureAvailable(new SurfaceTexture(0), 400, 600);
        assertEquals("", error());
        controller.pause().stop();
        controller.start().resume();
        assertEquals("", error());
    }

    private LiveActivity openWithCamera() {
        grant();
        addCamera();
        LiveActivity screen = open();
        screen.onSurfaceTextureAvailable(new SurfaceTexture(0), 400, 600);
        return screen;
    }

    private static FakeFrame give(LiveActivity screen, int color) {
        return give(screen.camera(), color);
    }

    private static FakeFrame give(LiveCamera camera, int color) {
        FakeFrame frame = new FakeFrame(color);
        camera.deliver(frame);
        return frame;
    }

    @Test
    public void classifiesTheCamerasFramesAndShowsTheirRate() throws Exception {
        new Preferences(Screens.context()).setSmooth(false);
        LiveActivity screen = openWithCamera();
        assertFalse(Screens.shown(screen, R.id.timing));
        for (int color : new int[] {Screens.GREEN, Screens.GREEN, Screens.BLUE}) {
            FakeFrame frame = give(screen, color);
            Screens.settle();
            assertTrue(frame.closed);
            ShadowSystemClock.advanceBy(Duration.ofMillis(250));
        }
        String rate = Screens.text(screen, R.id.timing).split("\n")[0];
        // Robolectric's clock also runs while it draws.
        assertTrue(rate, rate.matches("(3[.][5-9]|4[.]0) frames per second"));
        assertEquals("blue", firstRow(screen));
        // Spoken lines change at most every two seconds.
        assertEquals("green", Screens.text(screen, R.id.summary));
        ShadowSystemClock.advanceBy(Duration.ofSeconds(2));
        give(screen, Screens.BLUE);
        Screens.settle();
        assertEquals("blue", Screens.text(screen, R.id.summary));
    }

    @Test
    public void answersAreMeansOfSeveralFramesUntilThatIsSwitchedOff() throws Exception {
        LiveActivity screen = openWithCamera();
        for (int color : new int[] {Screens.GREEN, Screens.GREEN, Screens.BLUE}) {
            give(screen, color);
            Screens.settle();
        }
        assertEquals("one frame changes nothing", "green", firstRow(screen));
        ((Switch) screen.findViewById(R.id.smooth)).setChecked(false);
        give(screen, Screens.BLUE);
        Screens.settle();
        assertEquals("blue", firstRow(screen));
        controller.recreate();
        assertFalse("kept", ((Switch) controller.get().findViewById(R.id.smooth)).isChecked());
    }

    @Test
    public void aTapFreezesTheViewWhoseAnswerCanThenBeShared() throws Exception {
        new Preferences(Screens.context()).setSmooth(false);
        LiveActivity screen = openWithCamera();
        give(screen, Screens.GREEN);
        Screens.settle();
        assertFalse(Screens.shown(screen, R.id.share));
        screen.findViewById(R.id.preview).performClick();
        assertTrue("not classified", give(screen, Screens.BLUE).closed);
        Screens.settle();
        assertEquals("green", firstRow(screen));
        screen.findViewById(R.id.share).performClick();
        Intent shared = shadowOf(screen).getNextStartedActivity().getParcelableExtra(Intent.EXTRA_INTENT);
        String text = shared.getStringExtra(Intent.EXTRA_TEXT);
        assertTrue(text, text.startsWith("green, ") && text.endsWith("Colours"));
        screen.findViewById(R.id.freeze).performClick();
        assertFalse(Screens.shown(screen, R.id.share));
        give(screen, Screens.BLUE);
        Screens.settle();
        assertEquals("blue", firstRow(screen));
    }

    @Test
    public void cameraAndLightCanBeSwitchedWhereThereAreSeveral() {
        addTwoCameras();
        LiveActivity screen = open();
        screen.onSurfaceTextureAvailable(new SurfaceTexture(0), 400, 600);
        assertEquals(90, screen.camera().turn(0));
        assertTrue(Screens.shown(screen, R.id.torch));
        screen.findViewById(R.id.torch).performClick();
        assertEquals(screen.getString(R.string.live_torch_off),
                screen.findViewById(R.id.torch).getContentDescription());
        screen.findViewById(R.id.flip).performClick();
        assertEquals("the front camera, on its side", 0, screen.camera().turn(90));
        assertFalse("it has no light", Screens.shown(screen, R.id.torch));
        controller.recreate();
        controller.get().onSurfaceTextureAvailable(new SurfaceTexture(0), 400, 600);
        assertEquals("kept", 0, controller.get().camera().turn(90));
    }

    @Test
    public void oneCameraOffersNoChoice() {
        assertFalse(Screens.shown(openWithCamera(), R.id.flip));
    }

    @Test
    public void framesThatComeWhileOneIsBeingClassifiedAreDropped() throws Exception {
        LiveActivity screen = openWithCamera();
        CountDownLatch goOn = new CountDownLatch(1);
        Screens.engine().models().runner().classify(() -> {
            awaitQuietly(goOn);
            return null;
        }, result -> { }, error -> { });
        FakeFrame first = give(screen, Screens.RED);
        FakeFrame second = give(screen, Screens.GREEN);
        assertFalse(first.closed);
        assertTrue("the camera gets it back at once", second.closed);
        goOn.countDown();
        Screens.settle();
        assertTrue(first.closed);
        assertEquals("red", Screens.text(screen, R.id.summary));
    }

    private static Switch compare(LiveActivity screen) {
        return screen.findViewById(R.id.compare);
    }

    private static void useSecond(String name) throws Exception {
        Screens.useModel(name);
        ModelEntry other = Screens.engine().state().models().current().entry();
        Screens.useModel("colours_int8.tflite");
        Screens.engine().lab().setSecond(other);
    }

    private static String second(LiveActivity screen) {
        ViewGroup rows = screen.findViewById(R.id.second).findViewById(R.id.answer_rows);
        return Screens.shown(screen, R.id.second)
                ? ((TextView) rows.getChildAt(0).findViewById(R.id.label)).getText().toString() : "";
    }

    @Test
    public void withoutASecondModelThereIsNothingToCompare() {
        assertFalse(Screens.shown(openWithCamera(), R.id.compare));
    }

    @Test
    public void twoModelsAnswerInTurn() throws Exception {
        useSecond("foreign.tflite");
        LiveActivity screen = openWithCamera();
        String text = compare(screen).getText().toString();
        assertTrue(text, text.endsWith("foreign.tflite"));
        compare(screen).setChecked(true);
        Screens.settle();
        for (int color : new int[] {Screens.RED, Screens.BLUE}) {
            give(screen, color);
            Screens.settle();
        }
        assertEquals("every other frame is the other model's", "rot", second(screen));
        assertEquals("blue", firstRow(screen));
        assertEquals("Elsewhere", Screens.text(screen, R.id.answer_model));
        compare(screen).setChecked(false);
        assertEquals("", second(screen));
        assertNull(Screens.engine().lab().live());
        give(screen, Screens.BLUE);
        Screens.settle();
        assertEquals("", second(screen));
    }

    @Test
    public void theSecondModelIsClosedWithTheViewAndOpenedAgain() throws Exception {
        useSecond("foreign.tflite");
        LiveActivity screen = openWithCamera();
        compare(screen).setChecked(true);
        Screens.settle();
        controller.pause().stop();
        assertNull(Screens.engine().lab().live());
        controller.start().resume();
        Screens.settle();
        assertNotNull(Screens.engine().lab().live());
        controller.recreate();
        Screens.settle();
        assertTrue(compare(controller.get()).isChecked());
        assertNotNull(Screens.engine().lab().live());
    }

    @Test
    public void aSecondModelThatFailsIsLeftOutAndTheFirstGoesOn() throws Exception {
        useSecond("fails_when_bright.tflite");
        LiveActivity screen = openWithCamera();
        compare(screen).setChecked(true);
        Screens.settle();
        for (int color : new int[] {0xffffffff, Screens.GREEN}) {
            give(screen, color);
            Screens.settle();
        }
        assertFalse(compare(screen).isChecked());
        assertNull(Screens.engine().lab().live());
        assertNotEquals("", error());
        assertEquals("green", firstRow(screen));
        assertEquals("Colours", Screens.engine().state().models().current().title());
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    public void aFrameThatComesAfterTheCameraClosedIsGivenBack() throws Exception {
        LiveActivity screen = openWithCamera();
        LiveCamera camera = screen.camera();
        controller.pause().stop();
        assertTrue(give(camera, Screens.RED).closed);
        Screens.settle();
        assertEquals(screen.getString(R.string.live_waiting), Screens.text(screen, R.id.summary));
    }

    @Test
    public void aFrameForAModelThatIsBeingReplacedIsGivenBack() throws Exception {
        LiveActivity screen = openWithCamera();
        Screens.engine().models().runner().close();
        assertTrue(give(screen, Screens.RED).closed);
        assertTrue("and the next one too", give(screen, Screens.RED).closed);
        assertEquals("", error());
    }

    @Test
    public void saysWhenAnotherAppTakesTheCamera() {
        LiveActivity screen = openWithCamera();
        shadowOf((CameraManager) Screens.context().getSystemService(Context.CAMERA_SERVICE))
                .triggerDisconnect();
        finishCameraWork();
        assertEquals(screen.getString(R.string.error_camera_failed), error());
        assertFalse(Screens.shown(screen, R.id.result));
        assertEquals(screen.getString(R.string.retry), Screens.text(screen, R.id.error_action));
        screen.findViewById(R.id.error_action).performClick();
        finishCameraWork();
        assertEquals("the camera works again", "", error());
        assertNotNull(screen.camera());
    }

    @Test
    public void theFrameMemoryOutlivesTheCameraUntilTheFrameIsRead() throws Exception {
        LiveActivity screen = openWithCamera();
        CountDownLatch goOn = new CountDownLatch(1);
        Screens.engine().models().runner().classify(() -> {
            awaitQuietly(goOn);
            return null;
        }, result -> { }, error -> { });
        FakeFrame frame = give(screen, Screens.RED);
        controller.pause().stop();
        finishCameraWork();
        assertFalse(frame.closed);
        goOn.countDown();
        Screens.settle();
        assertTrue(frame.closed);
    }

    /** Waits until the camera's own thread has done all it was told. */
    private static void finishCameraWork() {
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread instanceof HandlerThread && thread.getName().equals("camera")) {
                Looper looper = ((HandlerThread) thread).getLooper();
                if (looper != null) {
                    shadowOf(looper).idle();
                }
            }
        }
    }

    @Test
    public void refusalLeadsToTheSettings() {
        LiveActivity screen = open();
        refuse(screen);
        screen.findViewById(R.id.error_action).performClick();
        Intent settings = shadowOf(screen).getNextStartedActivity();
        assertEquals(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, settings.getAction());
        assertEquals("package:org.sqzkit.demo", settings.getDataString());
    }

    @Test
    public void takesTheFrameSizeNearestToWhatModelsNeed() {
        Size[] sizes = {new Size(4000, 3000), new Size(1280, 720), new Size(720, 480),
            new Size(320, 240)};
        assertEquals(new Size(720, 480), LiveCamera.nearest(sizes));
    }

    @Test
    public void thePreviewIsSharperThanTheFramesAndHasTheirShape() {
        Size[] sizes = {new Size(4000, 3000), new Size(1920, 1080), new Size(1440, 1080),
            new Size(640, 480)};
        assertEquals(new Size(1440, 1080), LiveCamera.sharpest(sizes, new Size(640, 480)));
        assertEquals(new Size(1920, 1080), LiveCamera.sharpest(sizes, new Size(1280, 720)));
        assertEquals(new Size(352, 288), LiveCamera.sharpest(sizes, new Size(352, 288)));
    }

    /** A phone held upright: the 640x480 frame shows 480x640, all of it, at the top of the view. */
    @Test
    public void thePreviewIsUprightWholeAndAtTheTop() {
        Size frame = new Size(640, 480);
        Matrix upright = new PreviewLayout(480, 800, frame, 90, 0).matrix();
        assertMapped(upright, 0, 0, 0, 0);
        assertMapped(upright, 480, 800, 480, 640);
        Matrix halfTurn = new PreviewLayout(480, 800, frame, 90, 180).matrix();
        assertMapped(halfTurn, 0, 0, 480, 640);
        assertMapped(halfTurn, 480, 800, 0, 0);
        // On its side the view is 800x480 and the picture 640x480, in the middle.
        Matrix lying = new PreviewLayout(800, 480, frame, 90, 90).matrix();
        assertMapped(lying, 0, 0, 80, 480);
        assertMapped(lying, 800, 480, 720, 0);
    }

    /** Half a turn changes no configuration: only the display says so. */
    @Test
    public void halfATurnTurnsThePreview() {
        LiveActivity screen = openWithCamera();
        TextureView preview = screen.findViewById(R.id.preview);
        Matrix before = new Matrix(preview.getTransform(null));
        shadowOf(ShadowDisplay.getDefaultDisplay()).setRotation(Surface.ROTATION_180);
        screen.onDisplayChanged(0);
        Matrix after = preview.getTransform(null);
        float[] point = {0, 0};
        before.mapPoints(point);
        float[] turned = {preview.getWidth(), preview.getHeight()};
        after.mapPoints(turned);
        assertEquals(point[0], turned[0], 0.5);
        assertEquals(point[1], turned[1], 0.5);
        assertNotEquals(before, after);
    }

    /** The times that are shown include the conversion of the frame. */
    @Test
    public void theConversionOfAFrameCounts() throws Exception {
        long[] waited = new long[1];
        Result[] found = new Result[1];
        Screens.engine().models().runner().classify(() -> {
            long start = System.nanoTime();
            while (System.nanoTime() - start < CONVERSION_NANOS) {
                Thread.onSpinWait();
            }
            waited[0] = System.nanoTime() - start;
            return new ArrayPixels(new int[64 * 64], 64, 64);
        }, result -> found[0] = result, error -> { });
        Screens.settle();
        assertTrue(found[0].preprocessing() >= waited[0]);
    }

    @Test
    public void theViewfinderIsExactlyWhatTheModelSees() {
        PreviewLayout layout = new PreviewLayout(480, 800, new Size(640, 480), 90, 0);
        assertSeen(0, 80, 480, 560, layout.seen(Geometry.covering(227, 227)));
        assertSeen(30, 110, 450, 530, layout.seen(new Geometry(false, 256, 256, 224, 224)));
        assertSeen(30, 40, 450, 600, layout.seen(new Geometry(true, 256, 256, 224, 224)));
    }

    /** Half a pixel may be missing: resized sides are whole pixels. */
    private static void assertSeen(float left, float top, float right, float bottom, RectF seen) {
        assertEquals(left, seen.left, 0.5);
        assertEquals(top, seen.top, 0.5);
        assertEquals(right, seen.right, 0.5);
        assertEquals(bottom, seen.bottom, 0.5);
    }

    private static void assertMapped(Matrix matrix, float x, float y, float toX, float toY) {
        float[] point = {x, y};
        matrix.mapPoints(point);
        assertEquals(toX, point[0], 0.5);
        assertEquals(toY, point[1], 0.5);
    }
}
