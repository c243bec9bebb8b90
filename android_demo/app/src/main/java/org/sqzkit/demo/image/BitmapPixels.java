package org.sqzkit.demo.image;

import android.graphics.Bitmap;

/** An opaque bitmap, read row by row without a second copy of it in memory. */
public final class BitmapPixels implements Pixels {
    private final Bitmap bitmap;

    /** Wraps {@code bitmap}, which must not change meanwhile. */
    public BitmapPixels(Bitmap bitmap) {
        this.bitmap = bitmap;
    }

    @Override
    public int width() {
        return bitmap.getWidth();
    }

    @Override
    public int height() {
        return bitmap.getHeight();
    }

    @Override
    public void read(int y, int[] row) {
        bitmap.getPixels(row, 0, bitmap.getWidth(), 0, y, bitmap.getWidth(), 1);
    }
}
