package org.sqzkit.demo;

import android.graphics.Bitmap;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.OpenModel;
import org.sqzkit.demo.model.RunOptions;

/** What the screens show. Belongs to the main thread; outlives the screens, not the process. */
final class AppState {
    /** The upright photograph, or null. */
    Bitmap photo;

    /** What the model said about it, or null while it has not. */
    Result result;

    /** Why there is no photograph or no result, or null. */
    Trouble photoTrouble;

    /** The model in use, or null before the first was opened. */
    OpenModel model;

    /** Why the last model asked for could not be used, or null. */
    Trouble modelTrouble;

    /** The file {@link #modelTrouble} is about. */
    String modelTroubleName = "";

    /** All models to choose from. */
    List<ModelEntry> entries = Collections.emptyList();

    /** Whether a model is being opened. */
    boolean opening;

    /** How much of an archive is expanded, 0..100; -1 when nothing is. */
    int expanded = -1;

    /** Whether a photograph is being opened or classified. */
    boolean classifying;

    RunOptions options = RunOptions.usual();

    private final Set<Runnable> listeners = new LinkedHashSet<>();

    void listen(Runnable listener) {
        listeners.add(listener);
        listener.run();
    }

    void forget(Runnable listener) {
        listeners.remove(listener);
    }

    /** The user has read what went wrong. */
    void readTrouble() {
        photoTrouble = null;
        modelTrouble = null;
        changed();
    }

    void changed() {
        for (Runnable listener : new ArrayList<>(listeners)) {
            listener.run();
        }
    }
}
