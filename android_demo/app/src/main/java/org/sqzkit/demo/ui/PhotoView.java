package org.sqzkit.demo.ui;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.graphics.RectF;
import android.util.AttributeSet;
import android.widget.ImageView;

/** A photo, and over a part of it where the model looked. */
public final class PhotoView extends ImageView {
    private final Paint filter = new Paint(Paint.FILTER_BITMAP_FLAG);
    private Bitmap map;
    private RectF area;

    public PhotoView(Context context, AttributeSet attributes) {
        super(context, attributes);
    }

    /**
     * Shows where the model looked; nothing for null.
     *
     * @param seen the part of the photo that the model saw, 0..1
     */
    public void showMap(Bitmap picture, RectF seen) {
        map = picture;
        area = seen;
        invalidate();
    }

    /** The map that is shown, or null. */
    public Bitmap map() {
        return map;
    }

    @Override
    protected void onDraw(Canvas canvas) {
        super.onDraw(canvas);
        if (map == null || getDrawable() == null) {
            return;
        }
        int width = getDrawable().getIntrinsicWidth();
        int height = getDrawable().getIntrinsicHeight();
        RectF target = new RectF(area.left * width, area.top * height,
                area.right * width, area.bottom * height);
        getImageMatrix().mapRect(target);
        canvas.drawBitmap(map, null, target, filter);
    }
}
