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
    private final View card;
    private final Runnable appear = this::appear;
    private boolean waiting;

    ProgressCard(Activity screen, Runnable cancel) {
        this.screen = screen;
        card = screen.findViewById(R.id.progress);
        screen.findViewById(R.id.progress_cancel).setOnClickListener(view -> cancel.run());
    }

    /** Shows what is done for the next photo or model. */
    void draw(AppState state) {
        Step step = state.models().step().running() ? state.models().step() : state.photo().step();
        draw(step.running(), text(step), state.models().percent());
    }

    /**
     * Updates the card, which appears only if work takes longer than {@link #DELAY_MILLIS}.
     *
     * @param percent how much is done, negative if that is not known
     */
    void draw(boolean running, int text, int percent) {
        if (!running) {
            card.removeCallbacks(appear);
            card.setVisibility(View.GONE);
            waiting = false;
            return;
        }
        if (!waiting) {
            waiting = true;
            card.postDelayed(appear, DELAY_MILLIS);
        }
        ((TextView) screen.findViewById(R.id.progress_text)).setText(text);
        ProgressBar bar = screen.findViewById(R.id.progress_bar);
        bar.setIndeterminate(percent < 0);
        bar.setProgress(Math.max(percent, 0));
    }

    private void appear() {
        card.setVisibility(View.VISIBLE);
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
