package org.sqzkit.demo.model;

import org.sqzkit.demo.R;
import org.sqzkit.demo.AppError;

/**
 * The arithmetic that the app applies to a pixel: {@code (pixel - mean) * scale}; red, green and blue in order.
 */
record Normalization(float[] mean, float[] scale) {

    /** Raw pixels, 0..255. */
    static final Normalization RAW = even(0, 1);

    /** What most float models without metadata were trained on, -1..1. */
    static final Normalization GUESS = even(127.5f, (float) (1 / 127.5));

    private static Normalization even(float mean, float scale) {
        return new Normalization(
                new float[] {mean, mean, mean}, new float[] {scale, scale, scale});
    }

    /** From TFLite Metadata's NormalizationOptions: one value each, or one for each channel. */
    static Normalization dividing(float[] mean, float[] deviation) throws AppError {
        float[] scale = new float[deviation.length];
        for (int i = 0; i < scale.length; i++) {
            scale[i] = (float) (1.0 / deviation[i]);
        }
        return multiplying(mean, scale);
    }

    /** From a mean and a factor: one value each, or one for each channel. */
    static Normalization multiplying(float[] mean, float[] scale) throws AppError {
        return new Normalization(three(mean, false), three(scale, true));
    }

    private static float[] three(float[] values, boolean factor) throws AppError {
        if (values.length != 1 && values.length != 3) {
            throw new AppError(R.string.error_normalization);
        }
        for (float value : values) {
            if (Float.isNaN(value) || Float.isInfinite(value) || factor && value == 0) {
                throw new AppError(R.string.error_normalization);
            }
        }
        return values.length == 3 ? values : new float[] {values[0], values[0], values[0]};
    }

    float apply(int channel, int pixel) {
        return (pixel - mean[channel]) * scale[channel];
    }
}
