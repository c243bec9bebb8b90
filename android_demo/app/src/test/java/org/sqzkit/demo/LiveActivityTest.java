package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.content.Context;
import android.content.Intent;
import android.graphics.Matrix;
import android.graphics.SurfaceTexture;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraManager;
import android.os.HandlerThread;
import android.os.Looper;
import android.provider.Settings;
import android.util.Size;
import android.view.ViewGroup;
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
import org.robolectric.shadows.ShadowSystemClock;
import org.sqzkit.demo.phone.PhoneTestRunner;

/** The live view: permission, frames, rate; no camera, a camera that is refused or broken. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class LiveActivityTest {
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
        CameraManager cameras =
                (CameraManager) Screens.context().getSystemService(Context.CAMERA_SERVICE);
        CameraCharacteristics facts = ShadowCameraCharacteristics.newCameraCharacteristics();
        shadowOf(facts).set(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_BACK);
        shadowOf(facts).set(CameraCharacteristics.SENSOR_ORIENTATION, 90);
        shadowOf(cameras).addCamera("0", facts);
    }

    private String trouble() {
        shadowOf(Looper.getMainLooper()).idle();
        return Screens.shown(controller.get(), R.id.trouble)
                ? Screens.text(controller.get(), R.id.trouble_text) : "";
    }

    @Test
    public void asksForTheCameraOnlyWhenItOpens() {
        LiveActivity screen = open();
        ShadowActivity.PermissionsRequest asked = shadowOf(screen).getLastRequestedPermission();
        assertEquals(Manifest.permission.CAMERA, asked.requestedPermissions[0]);
        screen.onRequestPermissionsResult(asked.requestCode, asked.requestedPermissions, new int[] {-1});
        assertEquals(screen.getString(R.string.trouble_camera_refused), trouble());
    }

    @Test
    public void doesNotAskAgainWhenTheScreenIsTurned() {
        LiveActivity screen = open();
        controller.recreate();
        assertNull(shadowOf(controller.get()).getLastRequestedPermission());
        assertEquals(screen.getString(R.string.trouble_camera_refused), trouble());
    }

    @Test
    public void saysWhenThereIsNoCamera() {
        grant();
        LiveActivity screen = open();
        screen.onSurfaceTextureAvailable(new SurfaceTexture(0), 400, 600);
        assertEquals(screen.getString(R.string.trouble_no_camera), trouble());
    }

    @Test
    public void opensTheBackCameraAndClosesItWithTheScreen() {
        grant();
        addCamera();
        LiveActivity screen = open();
        screen.onSurfaceTextureAvailable(new SurfaceTexture(0), 400, 600);
        assertEquals("", trouble());
        controller.pause().stop();
        controller.start().resume();
        assertEquals("", trouble());
    }

    private LiveActivity openWithCamera() {
        grant();
        addCamera();
        LiveActivity screen = open();
        screen.onSurfaceTextureAvailable(new SurfaceTexture(0), 400, 600);
        return screen;
    }

    private static FakeFrame give(LiveActivity screen, int color) {
        FakeFrame frame = new FakeFrame(color);
        screen.frame(frame);
        return frame;
    }

    @Test
    public void classifiesTheCamerasFramesAndShowsTheirRate() throws Exception {
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
        assertEquals("blue", ((TextView) ((ViewGroup)
                screen.findViewById(R.id.rows)).getChildAt(0).findViewById(R.id.label)).getText());
        // Spoken lines change at most every two seconds.
        assertEquals("green", Screens.text(screen, R.id.summary));
        ShadowSystemClock.advanceBy(Duration.ofSeconds(2));
        give(screen, Screens.BLUE);
        Screens.settle();
        assertEquals("blue", Screens.text(screen, R.id.summary));
    }

    @Test
    public void framesThatComeWhileOneIsBeingClassifiedAreDropped() throws Exception {
        LiveActivity screen = openWithCamera();
        CountDownLatch goOn = new CountDownLatch(1);
        Screens.engine().work().execute(() -> awaitQuietly(goOn));
        FakeFrame first = give(screen, Screens.RED);
        FakeFrame second = give(screen, Screens.GREEN);
        assertFalse(first.closed);
        assertTrue("the camera gets it back at once", second.closed);
        goOn.countDown();
        Screens.settle();
        assertTrue(first.closed);
        assertEquals("red", Screens.text(screen, R.id.summary));
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
        controller.pause().stop();
        assertTrue(give(screen, Screens.RED).closed);
        Screens.settle();
        assertEquals(screen.getString(R.string.live_waiting), Screens.text(screen, R.id.summary));
    }

    @Test
    public void saysWhenAnotherAppTakesTheCamera() {
        LiveActivity screen = openWithCamera();
        shadowOf((CameraManager) Screens.context().getSystemService(Context.CAMERA_SERVICE))
                .triggerDisconnect();
        finishCameraWork();
        assertEquals(screen.getString(R.string.trouble_camera_failed), trouble());
        assertFalse(Screens.shown(screen, R.id.result));
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
        ShadowActivity.PermissionsRequest asked = shadowOf(screen).getLastRequestedPermission();
        screen.onRequestPermissionsResult(asked.requestCode, asked.requestedPermissions, new int[] {-1});
        screen.findViewById(R.id.trouble_action).performClick();
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
    public void thePreviewIsUprightAndFillsTheView() {
        // A phone held upright: the 640x480 frame shows 480x640, filling 480x800 needs 600x800.
        Matrix upright = PreviewMatrix.of(480, 800, 640, 480, 90, 0);
        assertMapped(upright, 0, 0, -60, 0);
        assertMapped(upright, 480, 800, 540, 800);
        // The same phone on its side: the view is 800x480, the natural picture must lie.
        Matrix lying = PreviewMatrix.of(800, 480, 640, 480, 90, 90);
        assertMapped(lying, 0, 0, 0, 540);
        assertMapped(lying, 800, 480, 800, -60);
    }

    private static void assertMapped(Matrix matrix, float x, float y, float toX, float toY) {
        float[] point = {x, y};
        matrix.mapPoints(point);
        assertEquals(toX, point[0], 0.5);
        assertEquals(toY, point[1], 0.5);
    }
}
