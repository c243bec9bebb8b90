package org.sqzkit.demo;

import android.content.ContentResolver;
import android.content.Context;
import android.graphics.Bitmap;
import android.media.MediaMetadataRetriever;
import android.net.Uri;
import android.os.Build;
import java.io.IOException;
import org.sqzkit.demo.image.PhotoLoader;

/**
 * Reads frames with Android's {@link MediaMetadataRetriever}.
 *
 * <p>It decodes in a process of Android's own, so a damaged video cannot end the app, it turns the
 * frames upright, and it converts HDR and every layout of color planes to RGB. A codec in this
 * process would leave all of that to the app.
 */
final class RetrieverReader implements VideoReader {
    private final MediaMetadataRetriever retriever;
    private final long millis;
    private final int width;
    private final int height;

    private RetrieverReader(MediaMetadataRetriever retriever) throws AppError {
        this.retriever = retriever;
        if (retriever.extractMetadata(MediaMetadataRetriever.METADATA_KEY_HAS_VIDEO) == null) {
            throw new AppError(R.string.error_video_sound);
        }
        millis = number(MediaMetadataRetriever.METADATA_KEY_DURATION);
        width = (int) Math.min(Integer.MAX_VALUE, number(MediaMetadataRetriever.METADATA_KEY_VIDEO_WIDTH));
        height = (int) Math.min(Integer.MAX_VALUE, number(MediaMetadataRetriever.METADATA_KEY_VIDEO_HEIGHT));
    }

    /** Opens a video of another app. */
    static VideoReader open(Context context, Uri uri) throws AppError {
        if (!ContentResolver.SCHEME_CONTENT.equals(uri.getScheme())) {
            // A file: URI could name this app's own private files.
            throw new AppError(R.string.error_unreadable);
        }
        MediaMetadataRetriever retriever = new MediaMetadataRetriever();
        try {
            retriever.setDataSource(context, uri);
            RetrieverReader reader = new RetrieverReader(retriever);
            retriever = null;
            return reader;
        } catch (RuntimeException e) {
            throw new AppError(R.string.error_video);
        } finally {
            if (retriever != null) {
                release(retriever);
            }
        }
    }

    /** Throws a {@link RuntimeException} unless the file says a positive number. */
    private long number(int key) {
        long number = Long.parseLong(retriever.extractMetadata(key));
        if (number <= 0) {
            throw new IllegalArgumentException("a video of " + number);
        }
        return number;
    }

    @Override
    public long millis() {
        return millis;
    }

    @Override
    public Bitmap frame(long time) {
        int sample = PhotoLoader.sample(width, height);
        try {
            // Before SDK 27 frames come in their own size only.
            return sample == 1 || Build.VERSION.SDK_INT < Build.VERSION_CODES.O_MR1
                    ? retriever.getFrameAtTime(1000 * time, MediaMetadataRetriever.OPTION_CLOSEST)
                    : retriever.getScaledFrameAtTime(1000 * time, MediaMetadataRetriever.OPTION_CLOSEST,
                            Math.max(1, width / sample), Math.max(1, height / sample));
        } catch (RuntimeException e) {
            return null; // Android's decoder ended; the next frame may be sound
        }
    }

    @Override
    public void close() {
        release(retriever);
    }

    private static void release(MediaMetadataRetriever retriever) {
        try {
            retriever.release();
        } catch (IOException | RuntimeException e) {
            // Every frame that was wanted has been read.
        }
    }
}
