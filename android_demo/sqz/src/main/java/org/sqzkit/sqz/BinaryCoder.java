package org.sqzkit.sqz;

import java.util.Arrays;

/**
 * Range coder, adaptive probabilities and their mixing (docs/sqz.md, "Binary coder").
 *
 * <p>One class encodes and decodes, so that the two cannot disagree. Its methods take a bit and return
 * one: an encoder returns what it was given, a decoder does not look at it.
 */
final class BinaryCoder {
    private static final int WEIGHT_LIMIT = 1 << 20;

    private final boolean encoding;
    private final int end;
    private final int[] stretched = new int[16];
    private byte[] coded;
    private int position;
    private long range = 0xFFFFFFFFL;
    private long code;
    /** Where the range begins; of an encoder. */
    private long low;

    /** Makes an encoder. */
    BinaryCoder() {
        encoding = true;
        end = 0;
        coded = new byte[4096];
    }

    /** Makes a decoder of coded[start..end - 1]. */
    BinaryCoder(byte[] coded, int start, int end) throws SqzException {
        encoding = false;
        this.coded = coded;
        this.end = end;
        position = start;
        for (int k = 0; k < 4; k++) {
            code = code << 8 | next();
        }
        if (code >= range) {
            throw new SqzException("a coded stream begins with FF FF FF FF");
        }
    }

    /** Fails if bytes are left that the decoder never came to. */
    void checkEnd() throws SqzException {
        if (position != end) {
            throw new SqzException(
                    "a coded stream has " + (end - position) + " bytes more than it needs");
        }
    }

    /** Ends an encoding with as few bytes as decide it; a decoder reads zeros behind them. */
    byte[] finish() {
        long last = low + range - 1;
        int kept = 0;
        long value;
        do {
            long unit = 1L << (32 - 8 * kept++);
            value = (low + unit - 1) / unit * unit;
        } while (value > last);
        if (value >> 32 != 0) {
            carry();
        }
        byte[] finished = Arrays.copyOf(coded, position + kept - 1);
        for (int k = 0; k < kept - 1; k++) {
            finished[position + k] = (byte) (value >> (24 - 8 * k));
        }
        return finished;
    }

    /** Returns slots that have seen nothing. */
    static int[] fresh(int count) {
        int[] slots = new int[count];
        Arrays.fill(slots, 1 << 31);
        return slots;
    }

    /** Returns count weights of the same value, 65536 being 1. */
    static int[] weights(int count, int value) {
        int[] weights = new int[count];
        Arrays.fill(weights, value);
        return weights;
    }

    /** Codes a bit that is 1 with the chance probability / 65536. */
    int bit(int given, int probability) {
        long bound = (range * probability) >>> 16;
        if (encoding) {
            encode(given, bound);
            return given;
        }
        // All ones if the bit is 1: a branch would be guessed wrong half of the time.
        long one = (code - bound) >> 63;
        code -= bound & ~one;
        range = (bound & one) + ((range - bound) & ~one);
        while (range < 1 << 24) {
            code = code << 8 | next();
            range <<= 8;
        }
        return (int) one & 1;
    }

    private void encode(int bit, long bound) {
        if (bit != 0) {
            range = bound;
        } else {
            low += bound;
            range -= bound;
            if (low >> 32 != 0) {
                low &= 0xFFFFFFFFL;
                carry();
            }
        }
        while (range < 1 << 24) {
            if (position == coded.length) {
                coded = Arrays.copyOf(coded, 2 * position);
            }
            coded[position++] = (byte) (low >> 24);
            low = (low << 8) & 0xFFFFFFFFL;
            range <<= 8;
        }
    }

    /** Adds 1 to the number that was written. */
    private void carry() {
        int at = position;
        do {
            coded[--at]++;
        } while (coded[at] == 0);
    }

    /** Codes a bit by the mixed predictions of the chosen slots. */
    int mixedBit(int given, int[] slots, int[] chosen, int count, int[] weights, int first, int rate,
            int limit) {
        int[] inputs = stretched;
        long even = 0;
        long odd = 0;
        int pairs = count & ~1;
        if (pairs < count) {
            inputs[pairs] = Tables.STRETCH[slots[chosen[pairs]] >>> 20];
            even = (long) inputs[pairs] * weights[first + pairs];
        }
        for (int k = 0; k < pairs; k += 2) {
            int a = Tables.STRETCH[slots[chosen[k]] >>> 20];
            int b = Tables.STRETCH[slots[chosen[k + 1]] >>> 20];
            inputs[k] = a;
            inputs[k + 1] = b;
            even += (long) a * weights[first + k];
            odd += (long) b * weights[first + k + 1];
        }
        int probability = probability(even + odd);
        int bit = bit(given, probability);
        int error = ((bit << 16) - probability) * rate;
        for (int k = 0; k < count; k++) {
            weights[first + k] = moved(weights[first + k], inputs[k], error);
            update(slots, chosen[k], bit, limit);
        }
        return bit;
    }

    /** The same for the slots a and b; without a loop, since most of an archive's bits are such. */
    int mixedBit(int given, int[] slots, int a, int b, int[] weights, int first, int rate, int limit) {
        int inputA = Tables.STRETCH[slots[a] >>> 20];
        int inputB = Tables.STRETCH[slots[b] >>> 20];
        int probability = probability(
                (long) inputA * weights[first] + (long) inputB * weights[first + 1]);
        int bit = bit(given, probability);
        int error = ((bit << 16) - probability) * rate;
        weights[first] = moved(weights[first], inputA, error);
        weights[first + 1] = moved(weights[first + 1], inputB, error);
        update(slots, a, bit, limit);
        update(slots, b, bit, limit);
        return bit;
    }

    /** The same for four slots. */
    int mixedBit(int given, int[] slots, int a, int b, int c, int d, int[] weights, int first,
            int rate, int limit) {
        int inputA = Tables.STRETCH[slots[a] >>> 20];
        int inputB = Tables.STRETCH[slots[b] >>> 20];
        int inputC = Tables.STRETCH[slots[c] >>> 20];
        int inputD = Tables.STRETCH[slots[d] >>> 20];
        int probability = probability(
                ((long) inputA * weights[first] + (long) inputB * weights[first + 1])
                        + ((long) inputC * weights[first + 2] + (long) inputD * weights[first + 3]));
        int bit = bit(given, probability);
        int error = ((bit << 16) - probability) * rate;
        weights[first] = moved(weights[first], inputA, error);
        weights[first + 1] = moved(weights[first + 1], inputB, error);
        weights[first + 2] = moved(weights[first + 2], inputC, error);
        weights[first + 3] = moved(weights[first + 3], inputD, error);
        update(slots, a, bit, limit);
        update(slots, b, bit, limit);
        update(slots, c, bit, limit);
        update(slots, d, bit, limit);
        return bit;
    }

    private static int probability(long total) {
        int mean = (int) (total >> 16);
        mean = Math.min(Math.max(mean, -Tables.STRETCH_LIMIT), Tables.STRETCH_LIMIT);
        return Tables.SQUASH[mean + Tables.STRETCH_LIMIT];
    }

    private static int moved(int weight, int input, int error) {
        int moved = weight + ((input * error + (1 << 17)) >> 18);
        return (moved + WEIGHT_LIMIT) >>> 21 == 0
                ? moved : Math.min(Math.max(moved, -WEIGHT_LIMIT), WEIGHT_LIMIT);
    }

    /** Moves a slot towards the bit by a step that shrinks until limit bits were seen. */
    static void update(int[] slots, int index, int bit, int limit) {
        int slot = slots[index];
        int seen = slot & 1023;
        int target = -bit & 4194303;
        int change = (int) (((long) (target - (slot >>> 10)) * Tables.RATE[seen]) >> 16);
        slots[index] = slot + (change << 10) + ((seen - limit) >>> 31);
    }

    /** Lets every slot adapt again as if it had seen at most limit bits. */
    static void forget(int[] slots, int limit) {
        for (int k = 0; k < slots.length; k++) {
            slots[k] -= Math.max(slots[k] & 1023, limit) - limit;
        }
    }

    private int next() {
        return position < end ? coded[position++] & 255 : 0;
    }
}
