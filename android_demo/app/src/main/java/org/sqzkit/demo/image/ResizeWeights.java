package org.sqzkit.demo.image;

/**
 * The weights of an antialiased bilinear resize along one axis.
 *
 * <p>The filter around each output pixel's center is a triangle as wide as two input pixels, or two
 * output pixels when shrinking. Weights are multiples of 2^-22.
 */
final class ResizeWeights {
    static final int PRECISION = 22;

    /** First input pixel of each output pixel. */
    final int[] first;

    /** Weights of each output pixel, from its first input pixel on. */
    final int[][] weights;

    /** Plans output pixels {@code from..from+count-1} of an axis resized from {@code in} to {@code out}. */
    ResizeWeights(int in, int out, int from, int count) {
        first = new int[count];
        weights = new int[count][];
        double scale = (double) in / out;
        double support = Math.max(scale, 1.0);
        for (int i = 0; i < count; i++) {
            double center = (from + i + 0.5) * scale;
            int start = Math.max((int) (center - support + 0.5), 0);
            int end = Math.min((int) (center + support + 0.5), in);
            first[i] = start;
            weights[i] = triangle(start, end - start, center, 1.0 / support);
        }
    }

    private static int[] triangle(int start, int count, double center, double inverse) {
        double[] exact = new double[count];
        double sum = 0;
        for (int i = 0; i < count; i++) {
            exact[i] = Math.max(1.0 - Math.abs((start + i - center + 0.5) * inverse), 0.0);
            sum += exact[i];
        }
        int[] whole = new int[count];
        for (int i = 0; i < count; i++) {
            whole[i] = (int) (exact[i] / sum * (1 << PRECISION) + 0.5);
        }
        return whole;
    }

    /** One past the last input pixel that output pixel {@code i} uses. */
    int end(int i) {
        return first[i] + weights[i].length;
    }

    /** How many input pixels an output pixel uses at most. */
    int longest() {
        int longest = 0;
        for (int[] one : weights) {
            longest = Math.max(longest, one.length);
        }
        return longest;
    }
}
