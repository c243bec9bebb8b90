package org.sqzkit.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.net.Uri;
import java.util.Collections;
import org.sqzkit.demo.image.BitmapPixels;
import org.sqzkit.demo.model.LoadedModel;
import org.sqzkit.demo.ui.Formats;

/**
 * Classifies frames of a video, evenly spaced, with the model in use. Main thread only.
 *
 * <p>One frame at a time is in memory; of those before it, a small JPEG.
 */
final class VideoSession {
    static final int MAX_FRAMES = 120;
    static final int MAX_MINUTES = 60;

    private static final long MIN_STEP_MILLIS = 100;
    private static final int PICTURE_SIDE = 480;

    private final Context context;
    private final StateStore store;
    private final TaskRunner tasks;
    private final ModelSession models;
    private final ContentReader content;
    private Opener opener;
    private Task task;
    /** What is classified as soon as a model is open, or null. */
    private Uri waiting;

    VideoSession(Context context, StateStore store, TaskRunner tasks, ModelSession models) {
        this.context = context;
        this.store = store;
        this.tasks = tasks;
        this.models = models;
        content = new ContentReader(context.getContentResolver());
        opener = uri -> RetrieverReader.open(context, uri);
        store.listen(this::begin);
    }

    /** Opens a video of another app. */
    interface Opener {
        VideoReader open(Uri uri) throws AppError;
    }

    /** Decodes with something else, for tests. */
    void decodeWith(Opener other) {
        opener = other;
    }

    /** Classifies a video of another app, in place of the one before. */
    void classify(Uri uri) {
        tasks.cancel(task);
        waiting = uri;
        store.updateVideo(video -> AppState.Video.NONE.running(true));
    }

    /** A video that is shared with the app starts it, perhaps: then the model is still being opened. */
    private void begin() {
        if (waiting == null || store.state().models().step().running()) {
            return;
        }
        Uri uri = waiting;
        waiting = null;
        ModelRunner runner = models.runner();
        if (runner == null) {
            fail(new AppError(R.string.model_none));
            return;
        }
        task = tasks.start(PhotoSession.LIMIT_MILLIS, running -> classify(uri, runner, running),
                done -> store.updateVideo(video -> video.running(false)), this::fail);
    }

    private boolean classify(Uri uri, ModelRunner runner, Task running) throws Exception {
        LoadedModel model = runner.model();
        String name = content.displayName(uri);
        running.progress();
        try (VideoReader reader = opener.open(uri)) {
            running.progress();
            long millis = reader.millis();
            if (millis > MAX_MINUTES * 60_000L) {
                throw new AppError(R.string.error_video_long, MAX_MINUTES);
            }
            int total = (int) Math.max(1, Math.min(MAX_FRAMES, millis / MIN_STEP_MILLIS));
            tasks.post(running, () -> store.updateVideo(video -> new AppState.Video(name,
                    model.title(), model.sha256(), millis, total, Collections.emptyList(), true, null)));
            if (!classify(reader, total, runner, running)) {
                throw new AppError(R.string.error_video_frames);
            }
            return true;
        }
    }

    /** Returns whether there was a frame that could be decoded. */
    private boolean classify(VideoReader reader, int total, ModelRunner runner, Task running)
            throws Exception {
        boolean any = false;
        for (int i = 0; i < total; i++) {
            long time = (2 * i + 1) * reader.millis() / (2 * total); // the middle of its part
            Bitmap bitmap = reader.frame(time);
            running.progress();
            VideoFrame frame = bitmap == null ? VideoFrame.unreadable(time)
                    : classify(bitmap, time, runner, running);
            any |= bitmap != null;
            tasks.post(running, () -> store.updateVideo(video -> video.with(frame)));
        }
        return any;
    }

    private VideoFrame classify(Bitmap bitmap, long time, ModelRunner runner, Task running)
            throws Exception {
        try {
            Result result = runner.classify(new BitmapPixels(bitmap), running);
            return new VideoFrame(time, result.isNone() ? context.getString(R.string.teach_none)
                    : Formats.label(context, result.answers().get(0)),
                    result.isNone() ? Collections.emptyList() : result.answers(), picture(bitmap));
        } catch (AppError error) {
            tasks.post(running, () -> models.putAside(runner, error));
            throw error;
        }
    }

    private static byte[] picture(Bitmap bitmap) {
        double scale = Math.min(1, (double) PICTURE_SIDE / Math.max(bitmap.getWidth(), bitmap.getHeight()));
        return BitmapPixels.jpeg(Bitmap.createScaledBitmap(bitmap,
                (int) Math.max(1, scale * bitmap.getWidth()),
                (int) Math.max(1, scale * bitmap.getHeight()), true));
    }

    /** Shows why a video cannot be classified; the frames so far stay. */
    void fail(AppError error) {
        store.updateVideo(video -> video.with(error));
    }

    /** Stops; the frames so far stay. */
    void cancel() {
        waiting = null;
        tasks.cancel(task);
        store.updateVideo(video -> video.running(false));
    }

    void close() {
        tasks.cancel(task);
    }
}
