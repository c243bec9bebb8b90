package org.sqzkit.demo.model;

import org.sqzkit.demo.R;
import org.sqzkit.demo.Trouble;

/**
 * The arithmetic left to do on a pixel: {@code (pixel - mean) / std}, red, green and blue in order.
 *
 * @param stated whether the file says so; otherwise it is the usual guess for the input's type
 */
record Normalization(float[] mean, float[] std, boolean stated) {

    /** Raw pixels, 0..255. */
    static final Normalization RAW =
            new Normalization(new float[] {0, 0, 0}, new float[] {1, 1, 1}, true);

    /** What most float models without metadata were trained on, -1..1. */
    static final Normalization GUESS = new Normalization(
            new float[] {127.5f, 127.5f, 127.5f}, new float[] {127.5f, 127.5f, 127.5f}, false);

    /** From TFLite Metadata's NormalizationOptions: one value each, or one for each channel. */
    static Normalization of(float[] mean, float[] std) throws Trouble {
        return new Normalization(three(mean, false), three(std, true), true);
    }

    private static float[] three(float[] values, boolean divisor) throws Trouble {
        if (values.length != 1 && values.length != 3) {
            throw new Trouble(R.string.trouble_normalization);
        }
        for (float value : values) {
            if (Float.isNaN(value) || Float.isInfinite(value) || divisor && value == 0) {
                throw new Trouble(R.string.trouble_normalization);
            }
        }
        return values.length == 3 ? values : new float[] {values[0], values[0], values[0]};
    }

    float apply(int channel, int pixel) {
        return (pixel - mean[channel]) / std[channel];
    }
}
