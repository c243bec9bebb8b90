package org.sqzkit.demo.ui;

import android.app.Activity;
import android.view.View;
import android.widget.Button;
import android.widget.TextView;
import org.sqzkit.demo.R;

/** The card that says what went wrong and what to do about it. */
public final class ErrorCard {
    private ErrorCard() {}

    /** Shows the card on the screen, without a button. */
    public static void show(Activity screen, String title, String text) {
        show(screen, title, text, 0, null);
    }

    /** Shows the card with one button. */
    public static void show(Activity screen, String title, String text, int label, Runnable action) {
        ((TextView) screen.findViewById(R.id.error_title)).setText(title);
        ((TextView) screen.findViewById(R.id.error_text)).setText(text);
        Button button = screen.findViewById(R.id.error_action);
        button.setVisibility(action == null ? View.GONE : View.VISIBLE);
        if (action != null) {
            button.setText(label);
            button.setOnClickListener(view -> action.run());
        }
        screen.findViewById(R.id.error).setVisibility(View.VISIBLE);
    }

    /** Takes the card away. */
    public static void hide(Activity screen) {
        screen.findViewById(R.id.error).setVisibility(View.GONE);
    }
}
