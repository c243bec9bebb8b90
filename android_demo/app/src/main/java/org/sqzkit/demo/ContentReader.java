package org.sqzkit.demo;

import android.content.ContentResolver;
import android.database.Cursor;
import android.net.Uri;
import android.provider.OpenableColumns;
import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import org.sqzkit.demo.model.AtomicFiles;

/** Reads files of other apps, whose providers may hang, lie, or throw anything. */
final class ContentReader {
    private static final int MAX_NAME_LENGTH = 200;

    private final ContentResolver resolver;

    ContentReader(ContentResolver resolver) {
        this.resolver = resolver;
    }

    /** Opens a file. */
    interface Source {
        InputStream open() throws IOException;
    }

    /**
     * Copies a file of another app into {@code target}, whole or not at all.
     *
     * @param maxBytes the largest file that is accepted
     * @param header refuses a file by its first bytes, before the rest is read
     * @param unreadable the message if the other app does not deliver the file
     */
    static void copy(Source source, File target, long maxBytes, AtomicFiles.Header header,
            int unreadable, Task task) throws AppError {
        InputStream in;
        try {
            in = source.open();
        } catch (IOException | RuntimeException e) {
            task.progress();
            throw new AppError(unreadable);
        }
        task.onCancel(() -> closeQuietly(in));
        try {
            AtomicFiles.copy(in, target, maxBytes, header, unreadable, task::progress);
        } finally {
            closeQuietly(in);
        }
    }

    private static void closeQuietly(Closeable stream) {
        try {
            stream.close();
        } catch (IOException | RuntimeException e) {
            // Everything that was wanted has been read, or nothing is wanted any more.
        }
    }

    /** Opens the file that {@code uri} of another app names. */
    InputStream open(Uri uri) throws IOException {
        if (!ContentResolver.SCHEME_CONTENT.equals(uri.getScheme())) {
            // A file: URI could name this app's own private files.
            throw new IOException("not a content URI");
        }
        InputStream in = resolver.openInputStream(uri);
        if (in == null) {
            throw new IOException("the provider returned nothing");
        }
        return in;
    }

    /** Returns the name that the other app shows for a file. */
    String displayName(Uri uri) {
        String name = null;
        String[] columns = {OpenableColumns.DISPLAY_NAME};
        try (Cursor cursor = resolver.query(uri, columns, null, null, null)) {
            name = cursor != null && cursor.moveToFirst() ? cursor.getString(0) : null;
        } catch (RuntimeException e) {
            name = null; // the provider failed; the URI has a name too
        }
        String known = name == null ? String.valueOf(uri.getLastPathSegment()) : name;
        return known.substring(0, Math.min(known.length(), MAX_NAME_LENGTH));
    }
}
