package org.sqzkit.demo.image;

import android.graphics.Bitmap;
import java.io.ByteArrayOutputStream;

/** An opaque bitmap, read row by row without a second copy of it in memory. */
public final class BitmapPixels implements Pixels {
    private static final int QUALITY = 80;

    private final Bitmap bitmap;

    /** Wraps {@code bitmap}, which must not change meanwhile. */
    public BitmapPixels(Bitmap bitmap) {
        this.bitmap = bitmap;
    }

    /** Returns a bitmap as a JPEG to keep and to show. */
    public static byte[] jpeg(Bitmap bitmap) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        bitmap.compress(Bitmap.CompressFormat.JPEG, QUALITY, out);
        return out.toByteArray();
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
