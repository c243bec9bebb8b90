package org.sqzkit.demo.ui;

import android.content.Context;
import android.content.res.Configuration;
import android.util.AttributeSet;
import android.view.View;
import android.widget.GridLayout;

/**
 * Columns of equal width: as many as the window has room for at the user's size of letters, at most
 * {@code columnCount}. A hidden pane leaves its width to the other.
 */
public final class Columns extends GridLayout {
    /** Of a column, in letters of usual size: two columns from 600 dp on. */
    private static final int MIN_WIDTH_DP = 300;
    private static final int GAP_DP = 16;

    public Columns(Context context, AttributeSet attributes) {
        super(context, attributes);
        setOrientation(HORIZONTAL);
        Configuration window = getResources().getConfiguration();
        setColumnCount(Math.max(1, Math.min(getColumnCount(),
                (int) (window.screenWidthDp / (MIN_WIDTH_DP * window.fontScale)))));
    }

    @Override
    public void onViewAdded(View child) {
        super.onViewAdded(child);
        LayoutParams params = (LayoutParams) child.getLayoutParams();
        params.width = 0;
        params.columnSpec = spec(UNDEFINED, FILL, 1);
        params.rowSpec = spec(UNDEFINED, FILL);
        if ((getChildCount() - 1) % getColumnCount() > 0) {
            params.setMarginStart(Math.round(GAP_DP * getResources().getDisplayMetrics().density));
        }
    }
}
