package org.sqzkit.demo;

import android.content.Context;
import java.io.File;
import java.util.concurrent.TimeUnit;

/** What the screens share: the state, the photo, and the models. Main thread only. */
final class Engine {
    private final StateStore store;
    private final TaskRunner tasks = new TaskRunner();
    private final PhotoSession photos;
    private final ModelSession models;
    private final TeachSession teaching;
    private final LabSession lab;
    private final VideoSession video;
    private final Sharing sharing;

    Engine(Context context) {
        Context app = context.getApplicationContext();
        Preferences preferences = new Preferences(app);
        CrashGuard guard = new CrashGuard(new File(app.getFilesDir(), "running"));
        store = new StateStore(AppState.initial(preferences.options()));
        photos = new PhotoSession(app, store, tasks, guard);
        models = new ModelSession(app, store, tasks, guard, preferences, photos);
        photos.connect(models);
        sharing = new Sharing(app, store, tasks);
        teaching = new TeachSession(app, store, photos, models, sharing);
        models.connect(teaching);
        lab = new LabSession(app, store, tasks, guard, preferences, models);
        video = new VideoSession(app, store, tasks, models);
        models.openFirst();
    }

    AppState state() {
        return store.state();
    }

    StateStore store() {
        return store;
    }

    PhotoSession photos() {
        return photos;
    }

    ModelSession models() {
        return models;
    }

    TeachSession teaching() {
        return teaching;
    }

    LabSession lab() {
        return lab;
    }

    VideoSession video() {
        return video;
    }

    Sharing sharing() {
        return sharing;
    }

    /** The user has read what went wrong. */
    void dismissError() {
        store.update(state -> state.with((AppError) null)
                .with(state.teaching().with((AppError) null))
                .with(state.lab().with((AppError) null))
                .with(state.video().error() == null ? state.video() : state.video().with((AppError) null))
                .with(state.photo().with((AppError) null))
                .with(state.models().with((AppState.Failure) null)));
    }

    /** Stops what is being done for the next photo and the next model. */
    void cancel() {
        photos.cancel();
        models.cancel();
    }

    /** Deletes expanded copies, which can be made again, and the answers so far with their photos. */
    void clearStorage() {
        photos.clear();
        models.clearCopies();
    }

    /** Waits until nothing runs in the background, for tests. */
    boolean awaitIdle(long time, TimeUnit unit) throws Exception {
        return tasks.awaitIdle(time, unit) && models.awaitIdle(time, unit)
                && teaching.awaitIdle(time, unit) && lab.awaitIdle(time, unit);
    }

    /** Waits until nothing runs, and nothing that was cancelled either, for tests. */
    boolean awaitReturned(long time, TimeUnit unit) throws Exception {
        return tasks.awaitReturned(time, unit) && awaitIdle(time, unit);
    }

    /** Ends the threads. */
    void close() {
        models.close();
        teaching.close();
        lab.close();
        video.close();
    }
}
