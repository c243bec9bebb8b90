package org.sqzkit.demo;

import android.Manifest;
import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.ClipData;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.os.Build;
import android.provider.MediaStore;
import java.io.File;

/** Asks the photo picker and the camera app for photographs. */
final class PhotoRequests {
    static final int CHOOSE = 1;
    static final int TAKE = 2;
    static final int ALLOW_TAKE = 3;

    private final Activity screen;
    private final Engine engine;

    PhotoRequests(Activity screen, Engine engine) {
        this.screen = screen;
        this.engine = engine;
    }

    /** Opens the system's photo picker, or on phones without one the document picker. */
    void choose() {
        Intent documents = new Intent(Intent.ACTION_GET_CONTENT)
                .addCategory(Intent.CATEGORY_OPENABLE).setType("image/*");
        if (Build.VERSION.SDK_INT >= 33
                && start(new Intent(MediaStore.ACTION_PICK_IMAGES).setType("image/*"), CHOOSE)) {
            return;
        }
        if (!start(documents, CHOOSE)) {
            fail(new Trouble(R.string.trouble_no_picker));
        }
    }

    /**
     * Opens the camera app, which stores the photograph at full size into our file.
     *
     * <p>Android refuses this to an app that declares the camera permission (for the live view) and
     * does not hold it, so it must be asked for here too.
     */
    void take() {
        if (screen.checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) {
            capture();
        } else {
            screen.requestPermissions(new String[] {Manifest.permission.CAMERA}, ALLOW_TAKE);
        }
    }

    /** Goes on after the user answered the question about the camera. */
    void permitted(int request, int[] grants) {
        if (request != ALLOW_TAKE || grants.length == 0) {
            return;
        }
        if (grants[0] == PackageManager.PERMISSION_GRANTED) {
            capture();
        } else {
            fail(new Trouble(R.string.trouble_camera_refused));
        }
    }

    private void capture() {
        PhotoProvider.file(screen).delete();
        Intent camera = new Intent(MediaStore.ACTION_IMAGE_CAPTURE)
                .putExtra(MediaStore.EXTRA_OUTPUT, PhotoProvider.address())
                .addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION | Intent.FLAG_GRANT_READ_URI_PERMISSION);
        camera.setClipData(ClipData.newRawUri("", PhotoProvider.address()));
        if (!start(camera, TAKE)) {
            fail(new Trouble(R.string.trouble_no_camera_app));
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
            engine.classify(data.getData());
        } else if (request == TAKE) {
            File file = PhotoProvider.file(screen);
            engine.classifyCapture(file);
        }
    }

    private void fail(Trouble trouble) {
        engine.state.photoTrouble = trouble;
        engine.state.changed();
    }
}
