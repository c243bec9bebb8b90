package org.sqzkit.sqz;

import java.util.Arrays;

/** Finds which channels of a tensor are like which ones of another tensor. */
final class Alike {
    /** Pairs of channels that are compared one by one. */
    private static final int MAX_COMPARED = 1 << 22;
    /** Share of a channel's energy beyond which another one is not like it. */
    private static final double FAR = 0.7;
    /** How much farther the channel next to the last one may be and still be taken. */
    private static final double NEXT = 1.25;

    /** Where a channel has its symbols; -1 stands for a symbol of 0. */
    interface Place {
        int of(int channel, int number);
    }

    /** The channels of a tensor as rows of symbols. */
    static final class Rows {
        private final byte[][] symbols;
        /** The sum of each channel's squares. */
        private final long[] energy;

        Rows(byte[] content, int count, int length, Place place) {
            symbols = new byte[count][length];
            energy = new long[count];
            for (int channel = 0; channel < count; channel++) {
                byte[] own = symbols[channel];
                for (int k = 0; k < length; k++) {
                    int at = place.of(channel, k);
                    own[k] = at < 0 ? 0 : content[at];
                }
                energy[channel] = product(own, own);
            }
        }
    }

    private final Rows own;
    private final Rows other;

    Alike(Rows own, Rows other) {
        this.own = own;
        this.other = other;
    }

    /** Returns of each channel the one of the others that it is like, -1 without one. Sums are exact. */
    int[] find() {
        int count = own.symbols.length;
        int[] found = new int[count];
        boolean all = count == other.symbols.length && isNear();
        if (all || (long) count * other.symbols.length > MAX_COMPARED) {
            for (int k = 0; k < count; k++) {
                found[k] = k < other.symbols.length ? k : -1;
            }
            return found;
        }
        Arrays.fill(found, -1);
        int last = -1;
        for (int k = 0; k < count; k++) {
            long[] distances = distances(k);
            int best = 0;
            for (int n = 1; n < distances.length; n++) {
                best = distances[n] < distances[best] ? n : best;
            }
            if (last + 1 < distances.length && distances[last + 1] <= NEXT * distances[best] + 1) {
                best = last + 1;
            }
            if (distances[best] <= FAR * own.energy[k] + 1) {
                found[k] = best;
                last = best;
            }
        }
        return found;
    }

    /** Returns whether all channels together are like the others in the same order. */
    private boolean isNear() {
        long far = 0;
        long energy = 0;
        for (int k = 0; k < own.symbols.length; k++) {
            far += distance(k, k);
            energy += own.energy[k];
        }
        return far <= FAR * energy;
    }

    private long[] distances(int channel) {
        long[] distances = new long[other.symbols.length];
        for (int k = 0; k < distances.length; k++) {
            distances[k] = distance(channel, k);
        }
        return distances;
    }

    private long distance(int channel, int of) {
        return own.energy[channel] + other.energy[of]
                - 2 * product(own.symbols[channel], other.symbols[of]);
    }

    private static long product(byte[] a, byte[] b) {
        long sum = 0;
        for (int start = 0; start < a.length; start += 1 << 16) {
            int part = 0; // at most 2^30
            for (int k = start, end = Math.min(a.length, start + (1 << 16)); k < end; k++) {
                part += a[k] * b[k];
            }
            sum += part;
        }
        return sum;
    }
}
