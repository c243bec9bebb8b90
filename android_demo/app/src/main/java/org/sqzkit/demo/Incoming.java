package org.sqzkit.demo;

import android.content.ContentResolver;
import android.database.Cursor;
import android.net.Uri;
import android.provider.OpenableColumns;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import org.sqzkit.demo.model.WholeFile;

/** Files of other apps, whose providers may answer with anything. */
final class Incoming {
    private final ContentResolver resolver;

    Incoming(ContentResolver resolver) {
        this.resolver = resolver;
    }

    /** Where a file's bytes come from. */
    interface Source {
        InputStream open() throws IOException;
    }

    /** Copies what {@code source} gives into a file of our own, whole or not at all. */
    static void take(Source source, File file, long most, int unreadable) throws Trouble {
        try (InputStream in = source.open()) {
            WholeFile.copy(in, file, most);
        } catch (IOException | RuntimeException e) {
            // Another app's provider may answer with any exception at all.
            throw new Trouble(unreadable);
        }
    }

    /** Opens what {@code uri} of another app names. */
    InputStream open(Uri uri) throws IOException {
        if (!ContentResolver.SCHEME_CONTENT.equals(uri.getScheme())) {
            // A file: address could name the app's own private files.
            throw new IOException("not a content address");
        }
        InputStream in = resolver.openInputStream(uri);
        if (in == null) {
            throw new IOException("the other app gave nothing");
        }
        return in;
    }

    /** What the other app calls it. */
    String displayName(Uri uri) {
        String[] wanted = {OpenableColumns.DISPLAY_NAME};
        try (Cursor cursor = resolver.query(uri, wanted, null, null, null)) {
            if (cursor != null && cursor.moveToFirst() && cursor.getString(0) != null) {
                return cursor.getString(0);
            }
        } catch (RuntimeException e) {
            // Another app's provider may answer with anything; the address has a name too.
            return String.valueOf(uri.getLastPathSegment());
        }
        return String.valueOf(uri.getLastPathSegment());
    }
}
