package org.sqzkit.demo;

import android.Manifest;
import android.app.Activity;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.graphics.SurfaceTexture;
import android.media.Image;
import android.net.Uri;
import android.os.Bundle;
import android.os.SystemClock;
import android.provider.Settings;
import android.util.Size;
import android.view.Surface;
import android.view.TextureView;
import android.view.View;
import android.view.WindowManager;
import android.widget.TextView;
import java.util.concurrent.atomic.AtomicBoolean;
import org.sqzkit.demo.image.Pixels;
import org.sqzkit.demo.image.YuvFrame;
import org.sqzkit.demo.ui.Bars;
import org.sqzkit.demo.ui.ResultRows;
import org.sqzkit.demo.ui.Texts;
import org.sqzkit.demo.ui.TroubleCard;

/** The live view: each frame that comes while none is being classified is classified. */
public final class LiveActivity extends Activity
        implements TextureView.SurfaceTextureListener, LiveCamera.Listener {
    private static final int ALLOW = 1;
    private static final int SHOWN = 3;
    private static final int RATE_OVER = 20;
    private static final long ANNOUNCE_MS = 2000;

    private final AtomicBoolean busy = new AtomicBoolean();
    private final FrameRate rate = new FrameRate(RATE_OVER);
    private Engine engine;
    private TextureView preview;
    private LiveCamera camera;
    private boolean asked;
    private boolean visible;
    private long announced;
    private int announcedClass = -1;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.live);
        Bars.drawBehind(this);
        getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        engine = DemoApp.engine(this);
        preview = findViewById(R.id.preview);
        preview.setSurfaceTextureListener(this);
        findViewById(R.id.close).setOnClickListener(view -> finish());
        asked = saved != null;
    }

    @Override
    protected void onStart() {
        super.onStart();
        visible = true;
        if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) {
            openCamera();
        } else if (!asked) {
            asked = true;
            requestPermissions(new String[] {Manifest.permission.CAMERA}, ALLOW);
        } else {
            refused();
        }
    }

    @Override
    public void onRequestPermissionsResult(int request, String[] permissions, int[] grants) {
        if (grants.length == 0) {
            return;
        }
        if (grants[0] == PackageManager.PERMISSION_GRANTED) {
            openCamera();
        } else {
            refused();
        }
    }

    @Override
    protected void onStop() {
        visible = false;
        closeCamera();
        super.onStop();
    }

    private void openCamera() {
        if (visible && camera == null && preview.isAvailable()) {
            open(preview.getSurfaceTexture(), preview.getWidth(), preview.getHeight());
        }
    }

    private void open(SurfaceTexture texture, int width, int height) {
        TroubleCard.hide(this);
        findViewById(R.id.result).setVisibility(View.VISIBLE);
        camera = new LiveCamera(this, engine.work(), this);
        Size size = camera.open(texture);
        if (size != null) {
            preview.setTransform(PreviewMatrix.of(width, height, size.getWidth(), size.getHeight(),
                    camera.turn(0), displayTurn()));
        }
    }

    private void closeCamera() {
        if (camera != null) {
            camera.close();
            camera = null;
        }
    }

    private int displayTurn() {
        switch (getWindowManager().getDefaultDisplay().getRotation()) {
            case Surface.ROTATION_90:
                return 90;
            case Surface.ROTATION_180:
                return 180;
            case Surface.ROTATION_270:
                return 270;
            default:
                return 0;
        }
    }

    @Override
    public void frame(Image image) {
        LiveCamera from = camera;
        if (from == null || !busy.compareAndSet(false, true)) {
            image.close();
            return;
        }
        int turn = from.turn(displayTurn());
        engine.classifyFrame(() -> pixels(image, turn), this::show);
    }

    private static Pixels pixels(Image image, int turn) {
        try (Image open = image) {
            Image.Plane[] planes = open.getPlanes();
            return YuvFrame.upright(plane(planes[0]), plane(planes[1]), plane(planes[2]),
                    open.getWidth(), open.getHeight(), turn);
        } catch (IllegalStateException e) {
            return null; // the camera was closed meanwhile
        }
    }

    private static YuvFrame.Plane plane(Image.Plane plane) {
        return new YuvFrame.Plane(plane.getBuffer(), plane.getRowStride(), plane.getPixelStride());
    }

    /** Shows what one frame gave, and lets the next one in. */
    void show(Result result) {
        busy.set(false);
        if (result == null || !visible) {
            return;
        }
        rate.frame(SystemClock.elapsedRealtimeNanos());
        ((ResultRows) findViewById(R.id.rows)).show(
                result.best().subList(0, Math.min(SHOWN, result.best().size())));
        TextView timing = findViewById(R.id.timing);
        timing.setVisibility(View.VISIBLE);
        timing.setText(rateLine() + ModelTexts.timing(this, result));
        announce(result);
    }

    private String rateLine() {
        double perSecond = rate.perSecond();
        return perSecond == 0 ? ""
                : getString(R.string.live_rate, Texts.oneDigit(this, perSecond)) + "\n";
    }

    /** Changes the spoken line only for another class, and not faster than it can be spoken. */
    private void announce(Result result) {
        long now = SystemClock.elapsedRealtime();
        int best = result.best().get(0).index();
        if (best != announcedClass && (announcedClass < 0 || now - announced >= ANNOUNCE_MS)) {
            announced = now;
            announcedClass = best;
            ((TextView) findViewById(R.id.summary)).setText(
                    Texts.label(this, result.best().get(0)));
        }
    }

    @Override
    public void failed(Trouble trouble) {
        runOnUiThread(() -> {
            findViewById(R.id.result).setVisibility(View.GONE);
            TroubleCard.show(this, getString(R.string.trouble_camera_title), trouble.text(this));
        });
    }

    private void refused() {
        findViewById(R.id.result).setVisibility(View.GONE);
        TroubleCard.show(this, getString(R.string.trouble_camera_title),
                getString(R.string.trouble_camera_refused), R.string.open_settings,
                () -> startActivity(new Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS,
                        Uri.fromParts("package", getPackageName(), null))));
    }

    @Override
    public void onSurfaceTextureAvailable(SurfaceTexture texture, int width, int height) {
        if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED
                && visible && camera == null) {
            open(texture, width, height);
        }
    }

    @Override
    public void onSurfaceTextureSizeChanged(SurfaceTexture texture, int width, int height) {
        closeCamera();
        if (visible) {
            open(texture, width, height);
        }
    }

    @Override
    public boolean onSurfaceTextureDestroyed(SurfaceTexture texture) {
        closeCamera();
        return true;
    }

    @Override
    public void onSurfaceTextureUpdated(SurfaceTexture texture) {
        // Frames are taken from the reader, not from the texture.
    }
}
