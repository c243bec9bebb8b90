package org.sqzkit.demo.ui;

import android.content.Context;
import android.util.AttributeSet;
import android.view.View;
import android.view.ViewGroup;
import android.widget.TextView;

/**
 * Lays out its children side by side: in columns of equal width if no word has to be broken for
 * that, otherwise each at its own width, in as many lines as large fonts need.
 */
public final class FlowLayout extends ViewGroup {
    private static final int GAP_DP = 8;
    private static final int MAX_COLUMN_WIDTH_DP = 240;

    private final int gap;
    private final int maxColumnWidth;

    public FlowLayout(Context context, AttributeSet attributes) {
        super(context, attributes);
        float density = getResources().getDisplayMetrics().density;
        gap = Math.round(GAP_DP * density);
        maxColumnWidth = Math.round(MAX_COLUMN_WIDTH_DP * density);
    }

    @Override
    protected void onMeasure(int widthSpec, int heightSpec) {
        int width = MeasureSpec.getSize(widthSpec);
        int column = column(width);
        int mode = column > 0 ? MeasureSpec.EXACTLY : MeasureSpec.AT_MOST;
        int childWidth = MeasureSpec.makeMeasureSpec(column > 0 ? column : width, mode);
        int tallest = 0;
        for (int i = 0; i < getChildCount(); i++) {
            getChildAt(i).measure(childWidth, MeasureSpec.makeMeasureSpec(0, MeasureSpec.UNSPECIFIED));
            tallest = Math.max(tallest, getChildAt(i).getMeasuredHeight());
        }
        for (int i = 0; i < getChildCount() && column > 0; i++) {
            getChildAt(i).measure(childWidth, MeasureSpec.makeMeasureSpec(tallest, MeasureSpec.EXACTLY));
        }
        setMeasuredDimension(width, flow(width, false));
    }

    /** The width of each of equal columns, or 0 where a word is too long for them. */
    private int column(int width) {
        int count = 0;
        for (int i = 0; i < getChildCount(); i++) {
            count += getChildAt(i).getVisibility() == GONE ? 0 : 1;
        }
        if (count == 0) {
            return 0;
        }
        int column = Math.min((width - gap * (count - 1)) / count, maxColumnWidth);
        for (int i = 0; i < getChildCount(); i++) {
            View child = getChildAt(i);
            if (child.getVisibility() != GONE && longestWord(child) > column) {
                return 0;
            }
        }
        return column;
    }

    /** Returns the smallest width at which no word of a text is broken. */
    private static float longestWord(View child) {
        if (!(child instanceof TextView)) {
            return 0;
        }
        TextView text = (TextView) child;
        float longest = 0;
        for (String word : text.getText().toString().split("\\s+")) {
            longest = Math.max(longest, text.getPaint().measureText(word));
        }
        return (float) Math.ceil(longest) + text.getCompoundPaddingLeft() + text.getCompoundPaddingRight();
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
