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

    BinaryDecoder(byte[] coded, int start, int end) {
        this.coded = coded;
        this.end = end;
        position = start;
        for (int k = 0; k < 4; k++) {
            code = code << 8 | next();
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
        long width = range;
        long bound = (width * probability) >>> 16;
        int bit;
        if (code < bound) {
            bit = 1;
            width = bound;
        } else {
            bit = 0;
            code -= bound;
            width -= bound;
        }
        while (width < 1 << 24) {
            code = code << 8 | next();
            width <<= 8;
        }
        range = width;
        return bit;
    }

    /** Decodes a bit from the mixed predictions of the chosen slots. */
    int mixedBit(
            int[] slots, int[] chosen, int count, int[] weights, int first, int rate, int limit) {
        int[] inputs = stretched;
        long total = 0;
        for (int k = 0; k < count; k++) {
            int input = Tables.STRETCH[slots[chosen[k]] >>> 20];
            inputs[k] = input;
            total += (long) input * weights[first + k];
        }
        int mean = (int) (total >> 16);
        mean = Math.min(Math.max(mean, -Tables.STRETCH_LIMIT), Tables.STRETCH_LIMIT);
        int probability = Tables.SQUASH[mean + Tables.STRETCH_LIMIT];
        int bit = bit(probability);
        int error = ((bit << 16) - probability) * rate;
        for (int k = 0; k < count; k++) {
            int moved = weights[first + k] + ((inputs[k] * error + (1 << 17)) >> 18);
            weights[first + k] = Math.min(Math.max(moved, -WEIGHT_LIMIT), WEIGHT_LIMIT);
            update(slots, chosen[k], bit, limit);
        }
        return bit;
    }

    /** Moves a slot towards the bit by a step that shrinks until limit bits were seen. */
    static void update(int[] slots, int index, int bit, int limit) {
        int slot = slots[index];
        int seen = slot & 1023;
        int probability = slot >>> 10;
        int target = bit == 0 ? 0 : 4194303;
        probability += (int) (((long) (target - probability) * Tables.RATE[seen]) >> 16);
        slots[index] = probability << 10 | (seen < limit ? seen + 1 : seen);
    }

    /** Lets every slot adapt again as if it had seen at most limit bits. */
    static void forget(int[] slots, int limit) {
        for (int k = 0; k < slots.length; k++) {
            if ((slots[k] & 1023) > limit) {
                slots[k] = (slots[k] & ~1023) | limit;
            }
        }
    }

    private int next() {
        return position < end ? coded[position++] & 255 : 0;
    }
}
