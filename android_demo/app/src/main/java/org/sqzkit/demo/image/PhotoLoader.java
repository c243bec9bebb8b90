package org.sqzkit.demo.image;

import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import java.io.BufferedInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.sqzkit.demo.R;
import org.sqzkit.demo.Trouble;

/** Decodes photographs: upright, opaque, and no larger in memory than a model can profit from. */
public final class PhotoLoader {
    /** Larger files are not copied in. */
    public static final long MOST_BYTES = 128L << 20;

    private static final long MOST_PIXELS = 200_000_000;
    /** What is kept in memory, 4 bytes each; still five times the sides of a 256 pixel input. */
    private static final long KEPT_PIXELS = 6_000_000;
    private static final int SMALLEST_TRY = 64;

    private PhotoLoader() {}

    /** Decodes {@code file}; the trouble says what is wrong with it. */
    public static Bitmap load(File file) throws Trouble {
        BitmapFactory.Options bounds = new BitmapFactory.Options();
        bounds.inJustDecodeBounds = true;
        BitmapFactory.decodeFile(file.getPath(), bounds);
        if (bounds.outWidth <= 0 || bounds.outHeight <= 0) {
            throw new Trouble(R.string.trouble_not_an_image);
        }
        long pixels = (long) bounds.outWidth * bounds.outHeight;
        if (pixels > MOST_PIXELS) {
            throw new Trouble(R.string.trouble_image_too_large, bounds.outWidth, bounds.outHeight);
        }
        int sample = sample(bounds.outWidth, bounds.outHeight);
        Bitmap raw = decode(file, sample);
        try {
            return Orientation.upright(opaque(raw), orientation(file));
        } catch (OutOfMemoryError e) {
            throw new Trouble(R.string.trouble_memory);
        }
    }

    /** The smallest power of two that brings the picture down to {@code KEPT_PIXELS}. */
    static int sample(int width, int height) {
        int sample = 1;
        while ((long) (width / sample) * (height / sample) > KEPT_PIXELS) {
            sample *= 2;
        }
        return sample;
    }

    private static Bitmap decode(File file, int first) throws Trouble {
        for (int sample = first; sample <= Math.max(first, SMALLEST_TRY); sample *= 2) {
            try {
                BitmapFactory.Options options = new BitmapFactory.Options();
                options.inSampleSize = sample;
                options.inPreferredConfig = Bitmap.Config.ARGB_8888;
                options.inPremultiplied = false; // else colours under alpha lose bits
                options.inScaled = false;
                Bitmap bitmap = BitmapFactory.decodeFile(file.getPath(), options);
                if (bitmap == null) {
                    throw new Trouble(R.string.trouble_not_an_image);
                }
                return bitmap;
            } catch (OutOfMemoryError e) {
                // A phone short of memory still gets an answer, from fewer pixels.
                continue;
            }
        }
        throw new Trouble(R.string.trouble_memory);
    }

    private static int orientation(File file) throws Trouble {
        try (InputStream in = new BufferedInputStream(new FileInputStream(file))) {
            return Orientation.read(in);
        } catch (IOException e) {
            throw new Trouble(R.string.trouble_photo_unreadable);
        }
    }

    /** Composites on white, rounding (c * a + 255 * (255 - a)) / 255 exactly. */
    static Bitmap opaque(Bitmap bitmap) {
        if (!bitmap.hasAlpha()) {
            return bitmap;
        }
        int width = bitmap.getWidth();
        int height = bitmap.getHeight();
        Bitmap out = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888);
        out.setHasAlpha(false);
        int[] row = new int[width];
        for (int y = 0; y < height; y++) {
            bitmap.getPixels(row, 0, width, 0, y, width, 1);
            for (int x = 0; x < width; x++) {
                int alpha = row[x] >>> 24;
                row[x] = 0xff000000 | blend(row[x] >> 16 & 255, alpha) << 16
                        | blend(row[x] >> 8 & 255, alpha) << 8 | blend(row[x] & 255, alpha);
            }
            out.setPixels(row, 0, width, 0, y, width, 1);
        }
        return out;
    }

    private static int blend(int color, int alpha) {
        int sum = color * alpha + 255 * (255 - alpha) + 128;
        return (sum + (sum >> 8)) >> 8;
    }
}
