package org.sqzkit.demo.ui;

import android.app.Activity;
import android.view.View;
import android.widget.TextView;
import org.sqzkit.demo.R;

/** The card that says what went wrong and what to do about it. */
public final class TroubleCard {
    private TroubleCard() {}

    /** Shows the card on the screen. */
    public static void show(Activity screen, String title, String text) {
        ((TextView) screen.findViewById(R.id.trouble_title)).setText(title);
        ((TextView) screen.findViewById(R.id.trouble_text)).setText(text);
        screen.findViewById(R.id.trouble).setVisibility(View.VISIBLE);
    }

    /** Takes the card away. */
    public static void hide(Activity screen) {
        screen.findViewById(R.id.trouble).setVisibility(View.GONE);
    }
}
