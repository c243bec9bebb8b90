package org.sqzkit.demo;

import android.app.Activity;
import android.content.ClipData;
import android.content.ContentProvider;
import android.content.ContentValues;
import android.content.Context;
import android.content.Intent;
import android.database.Cursor;
import android.database.MatrixCursor;
import android.net.Uri;
import android.os.ParcelFileDescriptor;
import android.provider.OpenableColumns;
import java.io.File;
import java.io.FileNotFoundException;
import java.util.Arrays;
import java.util.List;

/**
 * Lends the camera app the one file into which it stores a photograph at full size, and other apps
 * what the user shares, for reading.
 *
 * <p>Not exported: an app gets at it only through the grant that goes with the request.
 */
public final class PhotoProvider extends ContentProvider {
    private static final String AUTHORITY = "org.sqzkit.demo.photographs";
    private static final String NAME = "capture.jpg";

    /** What can be shared with other apps: models, what was taught, benchmarks, timelines, and answers. */
    static final String MODEL = "taught.tflite";
    static final String ARCHIVE = "taught.sqz";
    static final String HEAD = "taught.head";
    static final String CSV = "benchmark.csv";
    static final String TIMELINE = "timeline.csv";
    static final String PICTURE = "sqzkit.png";

    private static final List<String> SHARED = Arrays.asList(MODEL, ARCHIVE, HEAD, CSV, TIMELINE, PICTURE);

    /** The address to give to the camera app. */
    static Uri address() {
        return new Uri.Builder().scheme("content").authority(AUTHORITY).path(NAME).build();
    }

    /** Where the camera app's photograph ends up. */
    static File file(Context context) {
        return new File(context.getCacheDir(), NAME);
    }

    /** Where a file is put to be shared. */
    static File shared(Context context, String name) {
        return new File(context.getCacheDir(), name);
    }

    /** Offers {@link #shared} to other apps, for reading. */
    static void share(Activity screen, String name) {
        Uri address = address().buildUpon().path(name).build();
        Intent send = new Intent(Intent.ACTION_SEND).setType(type(name))
                .putExtra(Intent.EXTRA_STREAM, address)
                .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION);
        send.setClipData(ClipData.newRawUri("", address));
        screen.startActivity(Intent.createChooser(send, null));
    }

    private static String type(String name) {
        return name.endsWith(".csv") ? "text/csv" : name.equals(PICTURE) ? "image/png"
                : "application/octet-stream";
    }

    @Override
    public boolean onCreate() {
        return true;
    }

    @Override
    public ParcelFileDescriptor openFile(Uri uri, String mode) throws FileNotFoundException {
        if (address().equals(uri)) {
            return ParcelFileDescriptor.open(file(getContext()), ParcelFileDescriptor.parseMode(mode));
        }
        if (isShared(uri) && mode.equals("r")) {
            return ParcelFileDescriptor.open(named(uri), ParcelFileDescriptor.MODE_READ_ONLY);
        }
        throw new FileNotFoundException("no such file: " + uri);
    }

    private static boolean isShared(Uri uri) {
        String name = uri.getLastPathSegment();
        return SHARED.contains(name) && address().buildUpon().path(name).build().equals(uri);
    }

    private File named(Uri uri) {
        return new File(getContext().getCacheDir(), isShared(uri) ? uri.getLastPathSegment() : NAME);
    }

    @Override
    public String getType(Uri uri) {
        return isShared(uri) ? type(uri.getLastPathSegment()) : "image/jpeg";
    }

    @Override
    public Cursor query(Uri uri, String[] projection, String selection, String[] arguments,
            String order) {
        MatrixCursor cursor = new MatrixCursor(
                new String[] {OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE});
        cursor.addRow(new Object[] {named(uri).getName(), named(uri).length()});
        return cursor;
    }

    @Override
    public Uri insert(Uri uri, ContentValues values) {
        throw new UnsupportedOperationException("only the one photograph can be written");
    }

    @Override
    public int delete(Uri uri, String selection, String[] arguments) {
        throw new UnsupportedOperationException("the photograph cannot be deleted");
    }

    @Override
    public int update(Uri uri, ContentValues values, String selection, String[] arguments) {
        throw new UnsupportedOperationException("the photograph has no fields");
    }
}
