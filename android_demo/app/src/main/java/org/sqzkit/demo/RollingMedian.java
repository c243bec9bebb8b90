package org.sqzkit.demo;

import java.util.Arrays;

/** The median of the last measurements. */
final class RollingMedian {
    private final long[] ring;
    private int count;

    RollingMedian(int window) {
        ring = new long[window];
    }

    void add(long value) {
        ring[count++ % ring.length] = value;
    }

    /** How many measurements the median is of. */
    int size() {
        return Math.min(count, ring.length);
    }

    /** The middle one, of an even number the mean of the middle two; 0 if there are none. */
    long median() {
        long[] sorted = Arrays.copyOf(ring, size());
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        if (sorted.length == 0) {
            return 0;
        }
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
