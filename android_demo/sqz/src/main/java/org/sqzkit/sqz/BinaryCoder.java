package org.sqzkit.sqz;

import java.util.Arrays;

/** Range decoder, adaptive probabilities and their mixing (docs/sqz.md, "Binary coder"). */
final class BinaryDecoder {
    private static final int WEIGHT_LIMIT = 1 << 20;

    private final byte[] coded;
    private final int end;
    private final int[] stretched = new int[16];
    private int position;
    private long range = 0xFFFFFFFFL;
    private long code;

    BinaryDecoder(byte[] coded, int start, int end) throws SqzException {
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

    /** Decodes a bit that is 1 with the chance probability / 65536. */
    int bit(int probability) {
        long bound = (range * probability) >>> 16;
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

    /** Decodes a bit from the mixed predictions of the chosen slots. */
    int mixedBit(
            int[] slots, int[] chosen, int count, int[] weights, int first, int rate, int limit) {
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
        int bit = bit(probability);
        int error = ((bit << 16) - probability) * rate;
        for (int k = 0; k < count; k++) {
            weights[first + k] = moved(weights[first + k], inputs[k], error);
            update(slots, chosen[k], bit, limit);
        }
        return bit;
    }

    /** The same for the slots a and b; without a loop, since most of an archive's bits are such. */
    int mixedBit(int[] slots, int a, int b, int[] weights, int first, int rate, int limit) {
        int inputA = Tables.STRETCH[slots[a] >>> 20];
        int inputB = Tables.STRETCH[slots[b] >>> 20];
        int probability = probability(
                (long) inputA * weights[first] + (long) inputB * weights[first + 1]);
        int bit = bit(probability);
        int error = ((bit << 16) - probability) * rate;
        weights[first] = moved(weights[first], inputA, error);
        weights[first + 1] = moved(weights[first + 1], inputB, error);
        update(slots, a, bit, limit);
        update(slots, b, bit, limit);
        return bit;
    }

    /** The same for four slots. */
    int mixedBit(int[] slots, int a, int b, int c, int d, int[] weights, int first, int rate,
            int limit) {
        int inputA = Tables.STRETCH[slots[a] >>> 20];
        int inputB = Tables.STRETCH[slots[b] >>> 20];
        int inputC = Tables.STRETCH[slots[c] >>> 20];
        int inputD = Tables.STRETCH[slots[d] >>> 20];
        int probability = probability(
                ((long) inputA * weights[first] + (long) inputB * weights[first + 1])
                        + ((long) inputC * weights[first + 2] + (long) inputD * weights[first + 3]));
        int bit = bit(probability);
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
