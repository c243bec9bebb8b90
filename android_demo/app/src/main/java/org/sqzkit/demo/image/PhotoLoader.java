package org.sqzkit.demo.image;

import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.ColorSpace;
import android.os.Build;
import java.io.BufferedInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.sqzkit.demo.R;
import org.sqzkit.demo.AppError;

/** Decodes photos: upright, opaque, and no larger in memory than a model can use. */
public final class PhotoLoader {
    /** Larger files are not copied in. */
    public static final long MAX_BYTES = 128L << 20;

    private static final long MAX_PIXELS = 200_000_000;
    /** What is kept in memory, 4 bytes each; still five times the sides of a 256 pixel input. */
    private static final long MAX_DECODED_PIXELS = 6_000_000;
    private static final int MAX_SAMPLE_SIZE = 64;

    private PhotoLoader() {}

    /** Decodes {@code file}; the error says what is wrong with it. */
    public static Bitmap load(File file) throws AppError {
        BitmapFactory.Options bounds = new BitmapFactory.Options();
        bounds.inJustDecodeBounds = true;
        BitmapFactory.decodeFile(file.getPath(), bounds);
        if (bounds.outWidth <= 0 || bounds.outHeight <= 0) {
            throw new AppError(R.string.error_not_an_image);
        }
        long pixels = (long) bounds.outWidth * bounds.outHeight;
        if (pixels > MAX_PIXELS) {
            throw new AppError(R.string.error_image_too_large, bounds.outWidth, bounds.outHeight);
        }
        int sample = sample(bounds.outWidth, bounds.outHeight);
        Bitmap raw = decode(file, sample);
        try {
            return Orientation.upright(opaque(raw), orientation(file));
        } catch (OutOfMemoryError e) {
            throw new AppError(R.string.error_memory);
        }
    }

    /** The smallest power of two that brings the picture down to {@code MAX_DECODED_PIXELS}. */
    public static int sample(int width, int height) {
        int sample = 1;
        while ((long) (width / sample) * (height / sample) > MAX_DECODED_PIXELS) {
            sample *= 2;
        }
        return sample;
    }

    private static Bitmap decode(File file, int first) throws AppError {
        for (int sample = first; sample <= Math.max(first, MAX_SAMPLE_SIZE); sample *= 2) {
            try {
                BitmapFactory.Options options = new BitmapFactory.Options();
                options.inSampleSize = sample;
                options.inPreferredConfig = Bitmap.Config.ARGB_8888;
                options.inPremultiplied = false; // premultiplied colors lose bits
                options.inScaled = false;
                if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) {
                    options.inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB);
                }
                Bitmap bitmap = BitmapFactory.decodeFile(file.getPath(), options);
                if (bitmap == null) {
                    throw new AppError(R.string.error_not_an_image);
                }
                return bitmap;
            } catch (OutOfMemoryError e) {
                // A phone short of memory still gets an answer, from fewer pixels.
                continue;
            }
        }
        throw new AppError(R.string.error_memory);
    }

    private static int orientation(File file) throws AppError {
        try (InputStream in = new BufferedInputStream(new FileInputStream(file))) {
            return Orientation.read(in);
        } catch (IOException e) {
            throw new AppError(R.string.error_unreadable);
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
