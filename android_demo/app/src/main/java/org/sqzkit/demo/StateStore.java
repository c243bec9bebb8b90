package org.sqzkit.demo;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.UnaryOperator;

/** Holds the current {@link AppState} and tells the screens about changes. Main thread only. */
final class StateStore {
    private final Set<Runnable> listeners = new LinkedHashSet<>();
    private AppState state;

    StateStore(AppState initial) {
        state = initial;
    }

    AppState state() {
        return state;
    }

    /** Replaces the state and calls all listeners. */
    void update(UnaryOperator<AppState> change) {
        state = change.apply(state);
        for (Runnable listener : new ArrayList<>(listeners)) {
            listener.run();
        }
    }

    void updatePhoto(UnaryOperator<AppState.Photo> change) {
        update(now -> now.with(change.apply(now.photo())));
    }

    void updateModels(UnaryOperator<AppState.Models> change) {
        update(now -> now.with(change.apply(now.models())));
    }

    void updateTeaching(UnaryOperator<AppState.Teaching> change) {
        update(now -> now.with(change.apply(now.teaching())));
    }

    void updateLab(UnaryOperator<AppState.Lab> change) {
        update(now -> now.with(change.apply(now.lab())));
    }

    void updateVideo(UnaryOperator<AppState.Video> change) {
        update(now -> now.with(change.apply(now.video())));
    }

    /** Calls {@code listener} now and after every change. */
    void listen(Runnable listener) {
        listeners.add(listener);
        listener.run();
    }

    void forget(Runnable listener) {
        listeners.remove(listener);
    }
}
