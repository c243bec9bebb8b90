package org.sqzkit.demo;

import android.graphics.Bitmap;
import android.media.MediaMetadataRetriever;
import android.net.Uri;
import java.util.Arrays;
import java.util.function.LongFunction;
import org.robolectric.shadows.ShadowMediaMetadataRetriever;
import org.robolectric.shadows.util.DataSource;

/** Videos of other apps: Robolectric has no decoder, so its retriever is told the frames. */
final class Videos {
    static final long STEP_MILLIS = 100;

    private Videos() {}

    static Bitmap frame(int color) {
        int[] pixels = new int[96 * 64];
        Arrays.fill(pixels, color);
        return Bitmap.createBitmap(pixels, 96, 64, Bitmap.Config.ARGB_8888);
    }

    /** Makes another app offer a video with a frame of one color each 0.1 s; 0 for a damaged one. */
    static Uri offer(String name, int... colors) {
        Uri uri = Uri.parse("content://other.app/" + name);
        describe(uri, "yes", String.valueOf(STEP_MILLIS * colors.length), "96", "64");
        for (int i = 0; i < colors.length; i++) {
            if (colors[i] != 0) {
                ShadowMediaMetadataRetriever.addFrame(Screens.context(), uri,
                        1000 * (STEP_MILLIS * i + STEP_MILLIS / 2), frame(colors[i]));
            }
        }
        return uri;
    }

    /** Sets what the retriever says of a video; nothing of what is null. */
    static void describe(Uri uri, String video, String millis, String width, String height) {
        DataSource source = DataSource.toDataSource(Screens.context(), uri);
        ShadowMediaMetadataRetriever.addMetadata(source, MediaMetadataRetriever.METADATA_KEY_HAS_VIDEO, video);
        ShadowMediaMetadataRetriever.addMetadata(source, MediaMetadataRetriever.METADATA_KEY_DURATION, millis);
        ShadowMediaMetadataRetriever.addMetadata(
                source, MediaMetadataRetriever.METADATA_KEY_VIDEO_WIDTH, width);
        ShadowMediaMetadataRetriever.addMetadata(
                source, MediaMetadataRetriever.METADATA_KEY_VIDEO_HEIGHT, height);
    }

    /** A decoder of the test's own. */
    static VideoReader reader(long millis, LongFunction<Bitmap> frames, Runnable closed) {
        return new VideoReader() {
            @Override
            public long millis() {
                return millis;
            }

            @Override
            public Bitmap frame(long time) {
                return frames.apply(time);
            }

            @Override
            public void close() {
                closed.run();
            }
        };
    }
}
