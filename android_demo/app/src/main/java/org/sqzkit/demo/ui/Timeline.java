package org.sqzkit.demo.ui;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.util.AttributeSet;
import android.widget.SeekBar;
import org.sqzkit.demo.R;

/**
 * A bar for each frame of a video, as high as its answer is probable, in its answer's color.
 *
 * <p>The frame that is shown is the seek bar's progress: taps, drags, keys and TalkBack change it.
 * Time runs from left to right in every language, as video players show it.
 */
public final class Timeline extends SeekBar {
    private static final int LINE_DP = 2;
    private static final int MIN_BAR_DP = 4;

    private final Paint paint = new Paint();
    private final float density = getResources().getDisplayMetrics().density;
    private float[] heights = {};
    private int[] colors = {};

    public Timeline(Context context, AttributeSet attributes) {
        super(context, attributes);
    }

    /**
     * Shows frames.
     *
     * @param total how many there will be
     * @param parts how high each is so far, 0..1
     * @param paints the color of each; 0 leaves its place empty
     */
    public void show(int total, float[] parts, int[] paints) {
        heights = parts;
        colors = paints;
        setMax(total - 1);
        invalidate();
    }

    @Override
    protected void onDraw(Canvas canvas) {
        float top = getPaddingTop();
        float height = getHeight() - top - getPaddingBottom();
        float step = (float) (getWidth() - getPaddingLeft() - getPaddingRight()) / Math.max(1, getMax());
        for (int i = 0; i < colors.length; i++) {
            float bar = Math.max(MIN_BAR_DP * density, heights[i] * height);
            paint.setColor(colors[i]);
            draw(canvas, i, step, top + height - bar, top + height);
        }
        paint.setColor(getContext().getColor(R.color.text));
        float line = LINE_DP * density;
        float x = getPaddingLeft() + getProgress() * step;
        canvas.drawRect(x - line, 0, x + line, getHeight(), paint);
    }

    private void draw(Canvas canvas, int number, float step, float top, float bottom) {
        float x = getPaddingLeft() + number * step;
        canvas.drawRect(x - step / 2, top, x + step / 2, bottom, paint);
    }
}
