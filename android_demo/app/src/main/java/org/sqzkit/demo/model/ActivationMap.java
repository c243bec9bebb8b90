package org.sqzkit.demo.model;

import android.graphics.Bitmap;

/**
 * Where the model looked: how much each place of what it saw speaks for a class.
 *
 * @param shares 0..1, row after row
 */
public record ActivationMap(float[] shares, int width) {
    private static final int COLOR = 0xff5a00;
    private static final int MAX_ALPHA = 190;

    /** Returns the map of values of any range; a flat one is empty. */
    static ActivationMap of(float[] values, int width) {
        float low = Float.POSITIVE_INFINITY;
        float high = Float.NEGATIVE_INFINITY;
        for (float value : values) {
            low = Math.min(low, value);
            high = Math.max(high, value);
        }
        float[] shares = new float[values.length];
        for (int i = 0; i < shares.length && high > low; i++) {
            shares[i] = (values[i] - low) / (high - low);
        }
        return new ActivationMap(shares, width);
    }

    /** Returns a picture of one pixel for each place, to be drawn over what the model saw. */
    public Bitmap picture() {
        int[] pixels = new int[shares.length];
        for (int i = 0; i < pixels.length; i++) {
            // Squared, so that the background stays as it is.
            pixels[i] = Math.round(MAX_ALPHA * shares[i] * shares[i]) << 24 | COLOR;
        }
        return Bitmap.createBitmap(pixels, width, pixels.length / width, Bitmap.Config.ARGB_8888);
    }
}
