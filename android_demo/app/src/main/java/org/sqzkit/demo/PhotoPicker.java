package org.sqzkit.demo;

import android.Manifest;
import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.ClipData;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.net.Uri;
import android.os.Build;
import android.os.Bundle;
import android.provider.MediaStore;
import android.widget.Toast;
import java.util.ArrayList;
import java.util.List;

/** Asks the photo picker and the camera app for photographs. */
final class PhotoPicker {
    static final int CHOOSE = 1;
    static final int TAKE = 2;

    private static final String TAKING = "taking";

    private final Activity screen;
    private final Engine engine;

    /** Whether the camera app was opened by itself, so that its photograph must be chosen. */
    private boolean taking;

    /** Goes on where {@code saved}, of a former screen, says; null for the first. */
    PhotoPicker(Activity screen, Engine engine, Bundle saved) {
        this.screen = screen;
        this.engine = engine;
        taking = saved != null && saved.getBoolean(TAKING);
    }

    void save(Bundle out) {
        out.putBoolean(TAKING, taking);
    }

    /** Opens the system's photo picker, or on phones without one the document picker. */
    void choose() {
        choose(1);
    }

    /** The same for up to {@code count} photographs at once. */
    void choose(int count) {
        if (!pick("image/*", count)) {
            fail(new AppError(R.string.error_no_picker));
        }
    }

    /** The same for one video. */
    void chooseVideo() {
        if (!pick("video/*", 1)) {
            engine.video().fail(new AppError(R.string.error_no_picker));
        }
    }

    private boolean pick(String type, int count) {
        Intent documents = new Intent(Intent.ACTION_GET_CONTENT)
                .addCategory(Intent.CATEGORY_OPENABLE).setType(type)
                .putExtra(Intent.EXTRA_ALLOW_MULTIPLE, count > 1);
        if (Build.VERSION.SDK_INT >= 33) {
            Intent pick = new Intent(MediaStore.ACTION_PICK_IMAGES).setType(type);
            if (count > 1) {
                pick.putExtra(MediaStore.EXTRA_PICK_IMAGES_MAX,
                        Math.min(count, MediaStore.getPickImagesMaxLimit()));
            }
            if (start(pick, CHOOSE)) {
                return true;
            }
        }
        return start(documents, CHOOSE);
    }

    /**
     * Opens the camera app. Where the app may use the camera, the camera app hands its photograph
     * back at full size.
     *
     * <p>Android refuses that to an app that declares the camera permission (for the live view) and
     * does not hold it. Nobody is asked for it here: then the camera app opens by itself, its
     * photograph stays on the phone, and the photo picker opens on the way back, newest first.
     */
    void take() {
        if (screen.checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) {
            capture();
        } else {
            openCameraApp();
        }
    }

    /** Without waiting for an answer: camera apps give none here, and some answer at once. */
    private void openCameraApp() {
        try {
            screen.startActivity(new Intent(MediaStore.INTENT_ACTION_STILL_IMAGE_CAMERA));
            taking = true;
            Toast.makeText(screen, R.string.take_and_choose, Toast.LENGTH_LONG).show();
        } catch (ActivityNotFoundException | SecurityException e) {
            fail(new AppError(R.string.error_no_camera_app));
        }
    }

    /** The user is on the screen again, perhaps back from the camera app. */
    void resume() {
        if (taking) {
            taking = false;
            choose();
        }
    }

    private void capture() {
        PhotoProvider.file(screen).delete();
        Intent camera = new Intent(MediaStore.ACTION_IMAGE_CAPTURE)
                .putExtra(MediaStore.EXTRA_OUTPUT, PhotoProvider.address())
                .addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION | Intent.FLAG_GRANT_READ_URI_PERMISSION);
        camera.setClipData(ClipData.newRawUri("", PhotoProvider.address()));
        if (!start(camera, TAKE)) {
            fail(new AppError(R.string.error_no_camera_app));
        }
    }

    private boolean start(Intent intent, int request) {
        try {
            screen.startActivityForResult(intent, request);
            return true;
        } catch (ActivityNotFoundException | SecurityException e) {
            return false;
        }
    }

    /** Takes the photograph that the picker or the camera app gave; nothing if the user went back. */
    void answered(int request, int result, Intent data) {
        if (result != Activity.RESULT_OK) {
            return;
        }
        if (request == CHOOSE && data != null && data.getData() != null) {
            engine.photos().classify(data.getData());
        } else if (request == TAKE) {
            engine.photos().classifyCapture(PhotoProvider.file(screen));
        }
    }

    /** Returns the photographs that the picker gave. */
    static List<Uri> chosen(Intent data) {
        List<Uri> found = new ArrayList<>();
        ClipData several = data == null ? null : data.getClipData();
        for (int i = 0; several != null && i < several.getItemCount(); i++) {
            if (several.getItemAt(i).getUri() != null) {
                found.add(several.getItemAt(i).getUri());
            }
        }
        if (found.isEmpty() && data != null && data.getData() != null) {
            found.add(data.getData());
        }
        return found;
    }

    private void fail(AppError error) {
        engine.photos().fail(error);
    }
}
