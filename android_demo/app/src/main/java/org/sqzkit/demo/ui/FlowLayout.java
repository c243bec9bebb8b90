package org.sqzkit.demo.ui;

import android.content.Context;
import android.util.AttributeSet;
import android.view.View;
import android.view.ViewGroup;

/** Lays its children side by side and starts a new line where the width ends, as large fonts need. */
public final class FlowLayout extends ViewGroup {
    private static final int GAP_DP = 8;
    private final int gap;

    public FlowLayout(Context context, AttributeSet attributes) {
        super(context, attributes);
        gap = Math.round(GAP_DP * getResources().getDisplayMetrics().density);
    }

    @Override
    protected void onMeasure(int widthSpec, int heightSpec) {
        int width = MeasureSpec.getSize(widthSpec);
        for (int i = 0; i < getChildCount(); i++) {
            getChildAt(i).measure(MeasureSpec.makeMeasureSpec(width, MeasureSpec.AT_MOST),
                    MeasureSpec.makeMeasureSpec(0, MeasureSpec.UNSPECIFIED));
        }
        setMeasuredDimension(width, flow(width, false));
    }

    @Override
    protected void onLayout(boolean changed, int left, int top, int right, int bottom) {
        flow(right - left, true);
    }

    /** Goes through the lines, placing the children if asked to; returns the height. */
    private int flow(int width, boolean place) {
        boolean mirrored = getLayoutDirection() == LAYOUT_DIRECTION_RTL;
        int x = 0;
        int y = 0;
        int line = 0;
        for (int i = 0; i < getChildCount(); i++) {
            View child = getChildAt(i);
            if (child.getVisibility() == GONE) {
                continue;
            }
            if (x > 0 && x + child.getMeasuredWidth() > width) {
                x = 0;
                y += line + gap;
                line = 0;
            }
            if (place) {
                int start = mirrored ? width - x - child.getMeasuredWidth() : x;
                child.layout(start, y, start + child.getMeasuredWidth(), y + child.getMeasuredHeight());
            }
            x += child.getMeasuredWidth() + gap;
            line = Math.max(line, child.getMeasuredHeight());
        }
        return y + line;
    }
}
