package org.sqzkit.demo;

import android.content.ContentProvider;
import android.content.ContentValues;
import android.content.Context;
import android.database.Cursor;
import android.database.MatrixCursor;
import android.net.Uri;
import android.os.ParcelFileDescriptor;
import android.provider.OpenableColumns;
import java.io.File;
import java.io.FileNotFoundException;

/**
 * Lends the camera app the one file into which it stores a photograph at full size, and other apps
 * what was taught, for reading.
 *
 * <p>Not exported: an app gets at it only through the grant that goes with the request.
 */
public final class PhotoProvider extends ContentProvider {
    private static final String AUTHORITY = "org.sqzkit.demo.photographs";
    private static final String NAME = "capture.jpg";
    private static final String MODEL = "taught.tflite";
    private static final String HEAD = "taught.head";

    /** The address to give to the camera app. */
    static Uri address() {
        return new Uri.Builder().scheme("content").authority(AUTHORITY).path(NAME).build();
    }

    /** Where the camera app's photograph ends up. */
    static File file(Context context) {
        return new File(context.getCacheDir(), NAME);
    }

    /** Where what was taught is put to be shared, as a model or as a head. */
    static File shared(Context context, boolean model) {
        return new File(context.getCacheDir(), model ? MODEL : HEAD);
    }

    /** The address of {@link #shared}. */
    static Uri sharedAddress(boolean model) {
        return address().buildUpon().path(model ? MODEL : HEAD).build();
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
        return sharedAddress(true).equals(uri) || sharedAddress(false).equals(uri);
    }

    private File named(Uri uri) {
        return new File(getContext().getCacheDir(), isShared(uri) ? uri.getLastPathSegment() : NAME);
    }

    @Override
    public String getType(Uri uri) {
        return isShared(uri) ? "application/octet-stream" : "image/jpeg";
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
