package org.sqzkit.demo.ui;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Matrix;
import android.graphics.Paint;
import android.graphics.RectF;
import android.util.AttributeSet;
import android.view.View;

/** A frame around the part of the camera's picture that the model sees; the rest is dimmed. */
public final class Viewfinder extends View {
    private static final int DIM = 0x80000000;
    private static final int LINE_DP = 2;

    private final Paint line = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint dim = new Paint();
    private final Paint filter = new Paint(Paint.FILTER_BITMAP_FLAG);
    private RectF seen;
    private Bitmap map;

    public Viewfinder(Context context, AttributeSet attributes) {
        super(context, attributes);
        line.setStyle(Paint.Style.STROKE);
        line.setColor(0xffffffff);
        line.setStrokeWidth(LINE_DP * getResources().getDisplayMetrics().density);
        dim.setColor(DIM);
    }

    /** Shows the frame; nothing for null. */
    public void show(RectF area) {
        seen = area;
        invalidate();
    }

    /** Shows where the model looked; nothing for null. */
    public void showMap(Bitmap picture, boolean mirrored) {
        map = picture;
        if (picture != null && mirrored) {
            Matrix flip = new Matrix();
            flip.setScale(-1, 1);
            map = Bitmap.createBitmap(picture, 0, 0, picture.getWidth(), picture.getHeight(), flip, false);
        }
        invalidate();
    }

    /** The frame that is shown, or null. */
    public RectF seen() {
        return seen;
    }

    @Override
    protected void onDraw(Canvas canvas) {
        if (seen == null) {
            return;
        }
        canvas.drawRect(0, 0, getWidth(), seen.top, dim);
        canvas.drawRect(0, seen.bottom, getWidth(), getHeight(), dim);
        canvas.drawRect(0, seen.top, seen.left, seen.bottom, dim);
        canvas.drawRect(seen.right, seen.top, getWidth(), seen.bottom, dim);
        if (map != null) {
            canvas.drawBitmap(map, null, seen, filter);
        }
        canvas.drawRect(seen, line);
    }
}
