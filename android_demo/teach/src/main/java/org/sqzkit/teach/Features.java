package org.sqzkit.teach;

/** From the activation that a network averages to the features that a head is taught on. */
public final class Features {
    /** Units of a feature in one step of an int8, uint8 or float32 activation. */
    public static final int STEPS = 128;

    private static final int MAX_FEATURE = Short.MAX_VALUE;

    private Features() {}

    /**
     * Returns the features of an int8 activation.
     *
     * @param map the activation [H, W, channels]
     * @param channels number of features
     * @param zeroPoint of the activation's quantization
     */
    public static short[] ofInt8(byte[] map, int channels, int zeroPoint) {
        long[] totals = new long[channels];
        for (int i = 0; i < map.length; i++) {
            totals[i % channels] += map[i] - zeroPoint;
        }
        return average(totals, places(map.length, channels), STEPS);
    }

    /**
     * Returns the features of a float32 activation.
     *
     * @param map the activation [H, W, channels]
     * @param channels number of features
     */
    public static short[] ofFloat32(float[] map, int channels) {
        double[] totals = new double[channels];
        for (int i = 0; i < map.length; i++) {
            totals[i % channels] += map[i];
        }
        return ofTotals(totals, places(map.length, channels));
    }

    /** Returns the averages of float32 values from their sums over a number of places. */
    static short[] ofTotals(double[] totals, int places) {
        short[] features = new short[totals.length];
        for (int i = 0; i < features.length; i++) {
            features[i] = clip(Math.floor(totals[i] * STEPS / places + 0.5));
        }
        return features;
    }

    /**
     * Returns the averages of integers, in units of `1 / steps`; halves are rounded up.
     *
     * @param totals sum of each channel over all places, less the zero points
     * @param places number of places, H times W
     * @param steps {@link #STEPS}, or 1 for an int16 activation
     */
    public static short[] average(long[] totals, int places, int steps) {
        short[] features = new short[totals.length];
        for (int i = 0; i < features.length; i++) {
            features[i] = clip(Math.floorDiv(2 * steps * totals[i] + places, 2L * places));
        }
        return features;
    }

    private static int places(int length, int channels) {
        if (length == 0 || length % channels != 0) {
            throw new IllegalArgumentException(
                    length + " values are not places of " + channels + " channels");
        }
        return length / channels;
    }

    private static short clip(double value) {
        return (short) Math.max(-MAX_FEATURE, Math.min(MAX_FEATURE, value));
    }
}
