package org.sqzkit.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.net.Uri;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.util.function.Consumer;
import org.sqzkit.demo.image.BitmapPixels;
import org.sqzkit.demo.image.PhotoLoader;
import org.sqzkit.demo.model.AtomicFiles;
import org.sqzkit.demo.model.LoadedModel;

/**
 * The photo on the screen: copied from another app, decoded, classified. Main thread only.
 *
 * <p>If a photo cannot be used, the photo before it stays, with its result.
 */
final class PhotoSession {
    static final long LIMIT_MILLIS = 30_000;

    private final Context context;
    private final StateStore store;
    private final TaskRunner tasks;
    private final CrashGuard guard;
    private final ContentReader content;
    private final History history;
    private Task task;
    private ModelSession models;

    PhotoSession(Context context, StateStore store, TaskRunner tasks, CrashGuard guard) {
        this.context = context;
        this.store = store;
        this.tasks = tasks;
        this.guard = guard;
        content = new ContentReader(context.getContentResolver());
        AtomicFiles.clean(context.getFilesDir());
        history = new History(context, store, guard.suspect());
    }

    History history() {
        return history;
    }

    /** Sets the models that classify photos. */
    void connect(ModelSession session) {
        models = session;
    }

    /** Classifies a photo of another app. */
    void classify(Uri uri) {
        load(() -> content.open(uri));
    }

    /** Classifies a photo that came with the app. */
    void classifyAsset(String path) {
        load(() -> context.getAssets().open(path));
    }

    /** Classifies the photo that the camera app stored. */
    void classifyCapture(File captured) {
        load(() -> new FileInputStream(captured));
    }

    /** Goes back to a photo that was on the screen before. */
    void goBack(String photo) {
        load(running -> decode(history.file(photo)), decoded -> show(photo, decoded));
    }

    private void load(ContentReader.Source source) {
        load(running -> read(source, running, history::keep), kept -> show(kept.name, kept.photo));
    }

    private <T> void load(TaskRunner.Work<T> work, Consumer<T> done) {
        tasks.cancel(task);
        store.updatePhoto(photo -> photo.with((AppError) null).with(Step.COPYING));
        task = tasks.start(LIMIT_MILLIS, work, done, this::fail);
    }

    /** Decodes a photo of another app without showing it. */
    void read(Uri uri, Consumer<Bitmap> done, Consumer<AppError> failed) {
        tasks.start(LIMIT_MILLIS,
                running -> read(() -> content.open(uri), running, (copy, photo) -> photo), done, failed);
    }

    /** What becomes of a copy and the photo in it. */
    private interface Taken<T> {
        T take(File copy, Bitmap photo) throws AppError, IOException;
    }

    private <T> T read(ContentReader.Source source, Task running, Taken<T> taken)
            throws AppError, IOException {
        File copy = File.createTempFile("photo-", ".part", context.getFilesDir());
        try {
            ContentReader.copy(source, copy, PhotoLoader.MAX_BYTES, AtomicFiles.Header.ANY,
                    R.string.error_unreadable, running);
            Bitmap photo = decode(copy);
            running.progress();
            return taken.take(copy, photo);
        } finally {
            copy.delete();
        }
    }

    private Bitmap decode(File file) throws AppError {
        guard.enter(file.getName());
        try {
            return PhotoLoader.load(file);
        } finally {
            guard.leave();
        }
    }

    private void show(String name, Bitmap photo) {
        history.show(name);
        store.updatePhoto(now -> now.with(photo).with((Result) null));
        classifyAgain();
    }

    /** Shows why a photo cannot be used, beside the photo that is still there. */
    void fail(AppError error) {
        store.updatePhoto(photo -> photo.with(error).with(Step.IDLE));
    }

    /** Classifies the photo on the screen, if there is one, with the model in use. */
    void classifyAgain() {
        Bitmap photo = store.state().photo().bitmap();
        ModelRunner runner = models.runner();
        if (photo == null || runner == null) {
            store.updatePhoto(now -> now.with((Result) null).with(Step.IDLE));
            return;
        }
        store.updatePhoto(now -> now.with(Step.CLASSIFYING));
        runner.classify(() -> new BitmapPixels(photo),
                result -> found(photo, runner, result), error -> models.putAside(runner, error));
    }

    private void found(Bitmap photo, ModelRunner runner, Result result) {
        if (store.state().photo().bitmap() == photo && models.runner() == runner) {
            store.updatePhoto(now -> now.with(result).with(Step.IDLE));
            history.add(result.modelTitle(), result.headline(context), System.currentTimeMillis());
        }
    }

    /** Whether the result on the screen, of a former process perhaps, is this model's. */
    boolean hasResultOf(LoadedModel model) {
        Result result = store.state().photo().result();
        return result != null && result.modelTitle().equals(model.title());
    }

    /** Restores the photo and result of the former process without running the model. */
    void restore(Result result) {
        File kept = history.file(history.shown());
        if (!kept.exists()) {
            return;
        }
        task = tasks.start(LIMIT_MILLIS, running -> decode(kept),
                photo -> store.updatePhoto(now -> now.with(photo).with(result)), this::fail);
    }

    /** Stops what is being done for the next photo. */
    void cancel() {
        tasks.cancel(task);
        store.updatePhoto(photo -> photo.with(Step.IDLE));
    }

    /** Deletes the answers so far with their photos, and takes the last one off the screen. */
    void clear() {
        cancel();
        history.clear();
        PhotoProvider.file(context).delete();
        store.updatePhoto(photo -> new AppState.Photo(null, null, null, Step.IDLE));
    }
}
