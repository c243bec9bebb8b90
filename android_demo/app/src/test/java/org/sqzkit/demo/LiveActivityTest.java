package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.content.Context;
import android.graphics.Matrix;
import android.graphics.SurfaceTexture;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraManager;
import android.util.Size;
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
import org.sqzkit.demo.image.ArrayPixels;
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
        shadowOf(android.os.Looper.getMainLooper()).idle();
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

    @Test
    public void classifiesFramesAndShowsTheirRate() throws Exception {
        LiveActivity screen = open();
        int[] colors = {Screens.GREEN, Screens.GREEN, Screens.BLUE};
        for (int color : colors) {
            int[] pixels = new int[64 * 48];
            java.util.Arrays.fill(pixels, color);
            Screens.engine().classifyFrame(() -> new ArrayPixels(pixels, 64, 48), screen::show);
            Screens.settle();
            org.robolectric.shadows.ShadowSystemClock.advanceBy(java.time.Duration.ofMillis(250));
        }
        String rate = Screens.text(screen, R.id.timing).split("\n")[0];
        // Robolectric's clock also runs while it draws.
        assertTrue(rate, rate.matches("(3[.][5-9]|4[.]0) frames per second"));
        assertEquals("blue", ((android.widget.TextView) ((android.view.ViewGroup)
                screen.findViewById(R.id.rows)).getChildAt(0).findViewById(R.id.label)).getText());
        // Spoken lines change at most every two seconds.
        assertEquals("green", Screens.text(screen, R.id.summary));
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
