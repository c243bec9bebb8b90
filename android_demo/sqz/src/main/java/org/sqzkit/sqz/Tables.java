package org.sqzkit.sqz;

/** Integer tables of the coder (docs/sqz.md, "Tables"). */
final class Tables {
    static final int STRETCH_LIMIT = 2047;
    /** Entry d + 2047 is 65536 / (1 + exp(-d / 256)). */
    static final int[] SQUASH = squash();
    /** Entry q is the smallest d whose squash reaches the middle of bucket q of 12 bits. */
    static final int[] STRETCH = stretch();
    /** 65536 times the step of a probability that has seen n bits. */
    static final int[] RATE = rate();
    static final int[] LOG0 = logarithm(0);
    static final int[] LOG1 = logarithm(1);
    static final int[] LOG2 = logarithm(2);

    private Tables() {}

    private static int[] squash() {
        int[] table = new int[2 * STRETCH_LIMIT + 1];
        long one = 1L << 30;
        long power = one;
        for (int distance = 0; distance <= STRETCH_LIMIT; distance++) {
            int high = (int) ((1L << 46) / (one + power));
            table[STRETCH_LIMIT + distance] = high;
            table[STRETCH_LIMIT - distance] = 65536 - high;
            power = (power * 4278222805L) >> 32;
        }
        return table;
    }

    private static int[] stretch() {
        int[] table = new int[4096];
        int distance = -STRETCH_LIMIT;
        for (int bucket = 0; bucket < 4096; bucket++) {
            while (distance < STRETCH_LIMIT
                    && SQUASH[distance + STRETCH_LIMIT] < bucket * 16 + 8) {
                distance++;
            }
            table[bucket] = distance;
        }
        return table;
    }

    private static int[] rate() {
        int[] table = new int[1024];
        for (int seen = 0; seen < 1024; seen++) {
            table[seen] = 655360 / (10 * seen + 16);
        }
        return table;
    }

    /** A logarithmic scale with 2^steps marks in each octave, 0 for 0. */
    private static int[] logarithm(int steps) {
        int[] table = new int[4096];
        for (int value = 1; value < 4096; value++) {
            int octave = 31 - Integer.numberOfLeadingZeros(value);
            int after = ((value << steps) >> octave) & ((1 << steps) - 1);
            table[value] = 1 + (octave << steps) + after;
        }
        return table;
    }
}
