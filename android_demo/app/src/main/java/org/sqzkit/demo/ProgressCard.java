package org.sqzkit.demo;

import android.app.Activity;
import android.view.View;
import android.widget.ProgressBar;
import android.widget.TextView;

/** Shows what the app is working on, with a button to cancel it. */
final class ProgressCard {
    /** Most work finishes before anybody could read the card. */
    static final long DELAY_MILLIS = 500;

    private final Activity screen;
    private final Engine engine;
    private final View card;
    private final Runnable appear = this::appear;
    private boolean waiting;

    ProgressCard(Activity screen, Engine engine) {
        this.screen = screen;
        this.engine = engine;
        card = screen.findViewById(R.id.progress);
        screen.findViewById(R.id.progress_cancel).setOnClickListener(view -> cancel());
    }

    private void cancel() {
        engine.photos().cancel();
        engine.models().cancel();
    }

    /** Updates the card, which appears only if work takes longer than {@link #DELAY_MILLIS}. */
    void draw(AppState state) {
        boolean running = state.photo().step().running() || state.models().step().running();
        if (!running) {
            card.removeCallbacks(appear);
            card.setVisibility(View.GONE);
            waiting = false;
        } else if (!waiting) {
            waiting = true;
            card.postDelayed(appear, DELAY_MILLIS);
        }
        if (running) {
            fill(state);
        }
    }

    private void appear() {
        card.setVisibility(View.VISIBLE);
    }

    private void fill(AppState state) {
        Step step = state.models().step().running() ? state.models().step() : state.photo().step();
        ((TextView) screen.findViewById(R.id.progress_text)).setText(text(step));
        ProgressBar bar = screen.findViewById(R.id.progress_bar);
        bar.setIndeterminate(state.models().percent() < 0);
        bar.setProgress(Math.max(state.models().percent(), 0));
    }

    private static int text(Step step) {
        switch (step) {
            case COPYING:
                return R.string.step_copying;
            case EXPANDING:
                return R.string.step_expanding;
            case OPENING:
                return R.string.model_opening;
            default:
                return R.string.step_classifying;
        }
    }
}
