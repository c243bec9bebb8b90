package org.sqzkit.demo;

import android.Manifest;
import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.graphics.SurfaceTexture;
import android.hardware.display.DisplayManager;
import android.media.Image;
import android.net.Uri;
import android.os.Bundle;
import android.os.Handler;
import android.os.Looper;
import android.os.SystemClock;
import android.provider.Settings;
import android.view.Surface;
import android.view.TextureView;
import android.view.View;
import android.view.ViewGroup;
import android.view.WindowManager;
import android.widget.ImageButton;
import android.widget.Switch;
import android.widget.TextView;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.sqzkit.demo.image.FrameConverter;
import org.sqzkit.demo.image.Pixels;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.Prediction;
import org.sqzkit.demo.ui.ErrorCard;
import org.sqzkit.demo.ui.Formats;
import org.sqzkit.demo.ui.ResultRows;
import org.sqzkit.demo.ui.SystemBars;
import org.sqzkit.demo.ui.Viewfinder;

/** The live view: classifies camera frames, and drops those that arrive while one is being classified. */
public final class LiveActivity extends Activity implements TextureView.SurfaceTextureListener,
        LiveCamera.Listener, DisplayManager.DisplayListener {
    /** The class to teach from the camera: an extra of the intent. */
    static final String LABEL = "label";
    /** Every third frame of a burst is taught: its neighbours are nearly the same. */
    static final int BURST = 5;

    private static final int EVERY = 3;
    private static final int ALLOW = 1;
    private static final int TOP_K = 3;
    private static final int RATE_OVER = 20;
    private static final long ANNOUNCE_MS = 2000;
    private static final String REFUSED = "refused";
    private static final String FRONT = "front";

    private final AtomicBoolean busy = new AtomicBoolean();
    private final AtomicBoolean secondBusy = new AtomicBoolean();
    /** On the camera's thread: frames go to the two models in turn. */
    private boolean second;
    private final FrameRate rate = new FrameRate(RATE_OVER);
    private Engine engine;
    private Preferences preferences;
    private volatile boolean smooth;
    /** Frames of a burst that are still to come. */
    private volatile int burst;
    private boolean map;
    private int examples;
    private volatile boolean frozen;
    private boolean front;
    private boolean torch;
    private Result shown;
    private TextureView preview;
    private volatile LiveCamera camera;
    private SurfaceTexture texture;
    private boolean asking;
    private boolean refused;
    private boolean visible;
    private volatile int displayTurn;
    private long announced;
    private int announcedClass = -1;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.live);
        SystemBars.drawBehind(this);
        getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        engine = DemoApp.engine(this);
        preview = findViewById(R.id.preview);
        preview.setSurfaceTextureListener(this);
        findViewById(R.id.close).setOnClickListener(view -> finish());
        // The answers scroll in the lower half of the window, so the preview is never covered.
        ((ViewGroup.MarginLayoutParams) findViewById(R.id.answers).getLayoutParams()).topMargin =
                (int) (getResources().getConfiguration().screenHeightDp
                        * getResources().getDisplayMetrics().density / 2);
        refused = saved != null && saved.getBoolean(REFUSED);
        front = saved != null && saved.getBoolean(FRONT);
        offerControls();
    }

    private void offerControls() {
        preferences = new Preferences(this);
        smooth = preferences.smooth();
        Switch smoothing = findViewById(R.id.smooth);
        smoothing.setText(getString(R.string.live_smooth, FrameMean.FRAMES));
        smoothing.setChecked(smooth);
        smoothing.setOnCheckedChangeListener((view, on) -> {
            smooth = on;
            preferences.setSmooth(on);
        });
        map = preferences.map();
        Switch maps = findViewById(R.id.map);
        maps.setChecked(map);
        maps.setOnCheckedChangeListener((view, on) -> {
            map = on;
            preferences.setMap(on);
        });
        ModelEntry other = engine.lab().second();
        Switch compare = findViewById(R.id.compare);
        show(R.id.compare, other != null);
        if (other != null) {
            compare.setText(getString(R.string.live_compare, other.fileName()));
        }
        compare.setOnCheckedChangeListener((view, on) -> compare(on));
        show(R.id.teach, getIntent().hasExtra(LABEL));
        findViewById(R.id.teach).setOnClickListener(view -> burst = EVERY * (BURST - 1) + 1);
        drawTeach();
        preview.setOnClickListener(view -> freeze(!frozen));
        findViewById(R.id.freeze).setOnClickListener(view -> freeze(!frozen));
        findViewById(R.id.share).setOnClickListener(view -> share());
        findViewById(R.id.flip).setOnClickListener(view -> flip());
        findViewById(R.id.torch).setOnClickListener(view -> {
            torch = !torch;
            camera.setTorch(torch);
            drawControls();
        });
    }

    private void drawTeach() {
        ((TextView) findViewById(R.id.teach)).setText(getString(
                R.string.live_teach, getIntent().getStringExtra(LABEL), examples));
    }

    /** Lets a second model answer beside the first, or no longer. */
    private void compare(boolean wanted) {
        if (wanted) {
            engine.lab().openLive(this::secondFailed);
        } else {
            engine.lab().closeLive();
        }
        showSecond(null);
    }

    private void secondFailed(AppError error) {
        ((Switch) findViewById(R.id.compare)).setChecked(false);
        if (visible) {
            ErrorCard.show(this, getString(R.string.error_general_title), error.text(this), R.string.ok,
                    () -> ErrorCard.hide(this));
        }
    }

    private void showSecond(Result result) {
        secondBusy.set(false);
        if (visible && !frozen) {
            LabActivity.drawAnswer(this, findViewById(R.id.second), engine.lab().live() == null ? null : result);
        }
    }

    /** How the next frame is classified. */
    ModelRunner.Purpose purpose() {
        if (burst % EVERY == 1) {
            return ModelRunner.Purpose.EXAMPLE;
        }
        return smooth ? ModelRunner.Purpose.NEXT_FRAME : ModelRunner.Purpose.ALONE;
    }

    /** Teaches a frame if it is one of a burst. */
    private void teach(Result result) {
        if (result.example() != null) {
            engine.teaching().add(getIntent().getStringExtra(LABEL), result);
            examples++;
            drawTeach();
        }
        burst = Math.max(burst - 1, 0);
    }

    private void freeze(boolean wanted) {
        if (camera == null) {
            return;
        }
        frozen = wanted;
        camera.setFrozen(wanted);
        drawControls();
    }

    private void flip() {
        closeCamera();
        front = !front;
        openCamera();
    }

    /** Offers the answer of the frozen picture to other apps, as text. */
    private void share() {
        StringBuilder text = new StringBuilder();
        for (Prediction answer : shown.answers().subList(0, Math.min(TOP_K, shown.answers().size()))) {
            text.append(Formats.summary(this, answer)).append('\n');
        }
        startActivity(Intent.createChooser(new Intent(Intent.ACTION_SEND).setType("text/plain")
                .putExtra(Intent.EXTRA_TEXT, text + shown.modelTitle()), null));
    }

    private void drawControls() {
        show(R.id.flip, camera != null && camera.hasChoice());
        show(R.id.torch, camera != null && camera.hasTorch() && !frozen);
        show(R.id.freeze, camera != null);
        show(R.id.share, frozen && shown != null);
        ImageButton freeze = findViewById(R.id.freeze);
        freeze.setImageResource(frozen ? R.drawable.ic_resume : R.drawable.ic_freeze);
        freeze.setContentDescription(getString(frozen ? R.string.live_resume : R.string.live_freeze));
        findViewById(R.id.torch).setContentDescription(
                getString(torch ? R.string.live_torch_off : R.string.live_torch_on));
        findViewById(R.id.torch).setSelected(torch);
    }

    private void show(int id, boolean visible) {
        findViewById(id).setVisibility(visible ? View.VISIBLE : View.GONE);
    }

    @Override
    protected void onSaveInstanceState(Bundle out) {
        super.onSaveInstanceState(out);
        out.putBoolean(REFUSED, refused);
        out.putBoolean(FRONT, front);
    }

    @Override
    protected void onStart() {
        super.onStart();
        visible = true;
        displays().registerDisplayListener(this, new Handler(Looper.getMainLooper()));
        compare(((Switch) findViewById(R.id.compare)).isChecked());
        if (allowed()) {
            refused = false;
            openCamera();
        } else if (refused) {
            showRefusal();
        } else {
            ask();
        }
    }

    private boolean allowed() {
        return checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED;
    }

    private void ask() {
        if (!asking) {
            asking = true;
            requestPermissions(new String[] {Manifest.permission.CAMERA}, ALLOW);
        }
    }

    @Override
    public void onRequestPermissionsResult(int request, String[] permissions, int[] grants) {
        asking = false;
        if (grants.length == 0) {
            return;
        }
        refused = grants[0] != PackageManager.PERMISSION_GRANTED;
        if (refused) {
            showRefusal();
        } else {
            openCamera();
        }
    }

    @Override
    protected void onStop() {
        visible = false;
        engine.lab().closeLive();
        displays().unregisterDisplayListener(this);
        closeCamera();
        super.onStop();
    }

    private DisplayManager displays() {
        return (DisplayManager) getSystemService(DISPLAY_SERVICE);
    }

    private void openCamera() {
        if (!visible || camera != null || texture == null) {
            return;
        }
        ErrorCard.hide(this);
        findViewById(R.id.result).setVisibility(View.VISIBLE);
        camera = new LiveCamera(this, front, this);
        frozen = false;
        torch = false;
        camera.open(texture);
        layOut();
        drawControls();
    }

    private void closeCamera() {
        if (camera != null) {
            camera.close();
            camera = null;
            frozen = false;
            drawControls();
        }
    }

    /** The camera in use, or null. */
    LiveCamera camera() {
        return camera;
    }

    /** Fits the preview into the view and draws the frame around what the model sees. */
    private void layOut() {
        displayTurn = displayTurn();
        if (camera == null || camera.previewSize() == null) {
            return;
        }
        PreviewLayout layout = new PreviewLayout(preview.getWidth(), preview.getHeight(),
                camera.previewSize(), camera.turn(0), displayTurn);
        preview.setTransform(layout.matrix());
        ModelRunner runner = engine.models().runner();
        Viewfinder viewfinder = findViewById(R.id.viewfinder);
        viewfinder.show(runner == null ? null : layout.seen(runner.model().file().geometry()));
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
    public void frame(LiveCamera from, LiveCamera.Frame frame) {
        ModelRunner other = engine.lab().live();
        second = other != null && !second;
        ModelRunner runner = second ? other : engine.models().runner();
        AtomicBoolean gate = second ? secondBusy : busy;
        if (runner == null || from != camera || frozen || !gate.compareAndSet(false, true)) {
            frame.close();
            return;
        }
        int turn = from.turn(displayTurn);
        if (!(second ? compare(runner, frame, turn) : classify(runner, frame, turn))) {
            gate.set(false); // another model has just taken its place
            frame.close();
        }
    }

    private boolean compare(ModelRunner runner, LiveCamera.Frame frame, int turn) {
        return runner.classify(() -> pixels(runner, frame, turn), smooth ? ModelRunner.Purpose.NEXT_FRAME
                : ModelRunner.Purpose.ALONE, this::showSecond, error -> {
            showSecond(null);
            secondFailed(error);
        });
    }

    private boolean classify(ModelRunner runner, LiveCamera.Frame frame, int turn) {
        return runner.classify(() -> pixels(runner, frame, turn), purpose(), this::show, error -> {
            busy.set(false);
            engine.models().putAside(runner, error);
            if (visible) {
                showModelFailure();
            }
        });
    }

    /** On the model's thread, which is the only one that uses the converter. */
    private static Pixels pixels(ModelRunner runner, LiveCamera.Frame frame, int turn) {
        try (LiveCamera.Frame open = frame) {
            Image image = open.image();
            Image.Plane[] planes = image.getPlanes();
            return runner.frames().upright(plane(planes[0]), plane(planes[1]), plane(planes[2]),
                    image.getWidth(), image.getHeight(), turn);
        } catch (IllegalStateException e) {
            return null; // the camera was closed meanwhile
        }
    }

    private static FrameConverter.Plane plane(Image.Plane plane) {
        return new FrameConverter.Plane(plane.getBuffer(), plane.getRowStride(), plane.getPixelStride());
    }

    /** Shows the result of one frame, and lets the next one in. */
    void show(Result result) {
        busy.set(false);
        if (result == null || !visible || frozen) {
            return;
        }
        shown = result;
        rate.frame(SystemClock.elapsedRealtimeNanos());
        teach(result);
        List<Prediction> best = result.isNone() ? Collections.emptyList() : result.answers();
        boolean comparing = engine.lab().live() != null;
        ((ResultRows) findViewById(R.id.rows)).show(
                best.subList(0, Math.min(comparing ? 1 : TOP_K, best.size())));
        Viewfinder viewfinder = findViewById(R.id.viewfinder);
        viewfinder.showMap(map && result.map() != null ? result.map().picture() : null, front);
        TextView timing = findViewById(R.id.timing);
        // Two answers leave no room for it on a small phone.
        timing.setVisibility(comparing ? View.GONE : View.VISIBLE);
        timing.setText(rateLine() + ModelCard.timing(this, result));
        announce(result);
    }

    private String rateLine() {
        double perSecond = rate.perSecond();
        return perSecond == 0 ? ""
                : getString(R.string.live_rate, Formats.oneDigit(this, perSecond)) + "\n";
    }

    /** Changes the line that TalkBack speaks only if the class changed, at most every two seconds. */
    private void announce(Result result) {
        long now = SystemClock.elapsedRealtime();
        Prediction first = result.answers().get(0);
        int best = result.isNone() ? Integer.MAX_VALUE : first.index();
        if (best != announcedClass && (announcedClass < 0 || now - announced >= ANNOUNCE_MS)) {
            announced = now;
            announcedClass = best;
            ((TextView) findViewById(R.id.summary)).setText(result.isNone()
                    ? getString(R.string.teach_none) : Formats.label(this, first));
        }
    }

    @Override
    public void failed(LiveCamera from, AppError error) {
        runOnUiThread(() -> {
            if (from == camera) {
                closeCamera();
                showError(error.text(this), R.string.retry, this::openCamera);
            }
        });
    }

    private void showModelFailure() {
        AppState.Failure failure = engine.state().models().failure();
        if (failure != null) {
            ErrorCard.show(this, getString(R.string.error_model_title, failure.name()),
                    failure.error().text(this), R.string.ok, () -> ErrorCard.hide(this));
        }
    }

    private void showRefusal() {
        if (shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)) {
            showError(getString(R.string.error_camera_refused), R.string.allow_camera, this::ask);
        } else {
            showError(getString(R.string.error_camera_blocked), R.string.open_settings,
                    this::openSettings);
        }
    }

    private void openSettings() {
        try {
            startActivity(new Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS,
                    Uri.fromParts("package", getPackageName(), null)));
        } catch (ActivityNotFoundException | SecurityException e) {
            finish(); // a device for one purpose, without settings: the answer stays no
        }
    }

    private void showError(String text, int label, Runnable action) {
        findViewById(R.id.result).setVisibility(View.GONE);
        ErrorCard.show(this, getString(R.string.error_camera_title), text, label, action);
    }

    @Override
    public void onSurfaceTextureAvailable(SurfaceTexture available, int width, int height) {
        texture = available;
        if (allowed()) {
            openCamera();
        }
    }

    @Override
    public void onSurfaceTextureSizeChanged(SurfaceTexture changed, int width, int height) {
        layOut();
    }

    @Override
    public boolean onSurfaceTextureDestroyed(SurfaceTexture destroyed) {
        texture = null;
        closeCamera();
        return true;
    }

    @Override
    public void onSurfaceTextureUpdated(SurfaceTexture updated) {
        // Frames are taken from the reader, not from the texture.
    }

    @Override
    public void onDisplayAdded(int display) {
        // Only the turn of the display in use matters.
    }

    @Override
    public void onDisplayRemoved(int display) {
        // Only the turn of the display in use matters.
    }

    /** Turning the phone by 180 degrees changes no configuration, so the activity is not recreated. */
    @Override
    public void onDisplayChanged(int display) {
        layOut();
    }
}
