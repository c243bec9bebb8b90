package org.sqzkit.demo;

import android.content.Intent;
import android.net.Uri;
import android.os.Parcelable;

/** What another app sent to this one; it may send anything at all. */
final class ShareIntent {
    /** What the app can do with a file. */
    enum Kind { PHOTO, VIDEO, MODEL }

    private static final ShareIntent NOTHING = new ShareIntent(null, Kind.MODEL);

    /** The file, or null if there is nothing to open. */
    final Uri uri;
    /** What it is taken for. */
    final Kind kind;

    private ShareIntent(Uri uri, Kind kind) {
        this.uri = uri;
        this.kind = kind;
    }

    /** Reads an intent. */
    static ShareIntent read(Intent intent) {
        try {
            boolean replayed = (intent.getFlags() & Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY) != 0;
            if (replayed) {
                return NOTHING; // Recents repeats the intent that started the app first
            }
            Parcelable shared = Intent.ACTION_SEND.equals(intent.getAction())
                    ? intent.getParcelableExtra(Intent.EXTRA_STREAM) : intent.getData();
            String type = Intent.normalizeMimeType(intent.getType());
            return shared instanceof Uri
                    ? new ShareIntent((Uri) shared, kind(type == null ? "" : type)) : NOTHING;
        } catch (RuntimeException e) {
            // A Parcelable of a class that only the other app has, say.
            return NOTHING;
        }
    }

    private static Kind kind(String type) {
        return type.startsWith("image/") ? Kind.PHOTO : type.startsWith("video/") ? Kind.VIDEO : Kind.MODEL;
    }
}
