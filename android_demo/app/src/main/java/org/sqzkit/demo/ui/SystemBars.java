package org.sqzkit.demo.ui;

import android.app.Activity;
import android.graphics.Insets;
import android.os.Build;
import android.view.View;
import android.view.WindowInsets;
import org.sqzkit.demo.R;

/** Draws behind the system bars on every version, and keeps the content clear of them. */
public final class SystemBars {
    private SystemBars() {}

    /** Prepares a screen whose layout has a view {@code root}. */
    public static void drawBehind(Activity screen) {
        View root = screen.findViewById(R.id.root);
        if (Build.VERSION.SDK_INT >= 30) {
            screen.getWindow().setDecorFitsSystemWindows(false);
        } else {
            root.setSystemUiVisibility(root.getSystemUiVisibility()
                    | View.SYSTEM_UI_FLAG_LAYOUT_STABLE
                    | View.SYSTEM_UI_FLAG_LAYOUT_FULLSCREEN
                    | View.SYSTEM_UI_FLAG_LAYOUT_HIDE_NAVIGATION);
        }
        root.setOnApplyWindowInsetsListener(SystemBars::pad);
    }

    private static WindowInsets pad(View view, WindowInsets all) {
        if (Build.VERSION.SDK_INT >= 30) {
            Insets bars = all.getInsets(
                    WindowInsets.Type.systemBars() | WindowInsets.Type.displayCutout());
            view.setPadding(bars.left, bars.top, bars.right, bars.bottom);
        } else {
            view.setPadding(all.getSystemWindowInsetLeft(), all.getSystemWindowInsetTop(),
                    all.getSystemWindowInsetRight(), all.getSystemWindowInsetBottom());
        }
        return all;
    }
}
