package org.sqzkit.demo;

import android.content.Context;
import java.io.IOException;
import org.sqzkit.demo.model.AtomicFiles;

/** The one way to where other apps can read what the user shares. Main thread only. */
final class Sharing {
    private static final long LIMIT_MILLIS = 30_000;

    private final Context context;
    private final StateStore store;
    private final TaskRunner tasks;

    Sharing(Context context, StateStore store, TaskRunner tasks) {
        this.context = context;
        this.store = store;
        this.tasks = tasks;
    }

    /** Makes the bytes of a file, off the main thread; work that takes long tells its progress. */
    interface Content {
        byte[] make(Task task) throws IOException;
    }

    /**
     * Puts a file there, then calls {@code done}; the screen says why if it cannot be put there.
     *
     * @param name one of those that {@link PhotoProvider} lends
     */
    void put(String name, Content content, Runnable done) {
        store.update(now -> now.with((AppError) null));
        tasks.start(LIMIT_MILLIS, running -> {
            AtomicFiles.write(content.make(running), PhotoProvider.shared(context, name));
            return true;
        }, written -> done.run(), error -> store.update(now -> now.with(error)));
    }
}
