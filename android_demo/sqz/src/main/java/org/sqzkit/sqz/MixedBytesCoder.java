package org.sqzkit.sqz;

/** Codes a stream of mixed bytes in either direction (docs/sqz.md, "Mixed bytes"). */
final class MixedBytesCoder {
    private static final int ORDERS = 9;
    private static final int INPUTS = ORDERS + 1;
    private static final int SHORTEST_MATCH = 5;
    private static final int LONGEST_LOOK = 32;
    /**
     * The slot of context c and node n is number c + 0x9E35 n. It is kept at that times this inverse
     * (of 0x9E35 modulo 2^32): one slot each as before, but a byte's slots lie side by side in memory.
     */
    private static final int NODE_STEP_INVERSE = 0xDB48441D;
    private static final int RATE = 14;
    private static final int SLOT_LIMIT = 255;

    private final BinaryCoder coder;
    private final byte[] content;
    private final int stride;
    private final int bits;
    private final int[] slots;
    private final int[] weights = BinaryCoder.weights(32 * INPUTS, 17000);
    private final int[] contexts = new int[ORDERS];
    private final int[] chosen = new int[INPUTS];
    private final int[] latest;
    private int match;
    private int length;

    MixedBytesCoder(BinaryCoder coder, byte[] content, int stride) {
        this.coder = coder;
        this.content = content;
        this.stride = stride;
        int length = 32 - Integer.numberOfLeadingZeros(content.length);
        bits = Math.min(Math.max(length + 3, 10), 16);
        slots = BinaryCoder.fresh(INPUTS << bits);
        latest = new int[1 << bits];
    }

    /** Encodes content, or fills it. */
    void code() {
        for (int at = 0; at < content.length; at++) {
            findContexts(at);
            content[at] = (byte) codeOne(content[at], at % stride);
            goOn(at);
        }
    }

    private int codeOne(int value, int phase) {
        int guess = length > 0 ? (content[match] & 255) + 256 : 0;
        int first = (Math.min(length, 7) * 4 + Math.min(phase, 3)) * INPUTS;
        int mask = (1 << bits) - 1;
        int node = 1;
        for (int depth = 0; depth < 8; depth++) {
            for (int k = 0; k < ORDERS; k++) {
                chosen[k] = (k << bits) + ((contexts[k] + node) & mask);
            }
            chosen[ORDERS] = ORDERS << bits;
            if (guess >> (8 - depth) == node) {
                chosen[ORDERS] += 2 * Math.min(length, 31) + ((guess >> (7 - depth)) & 1);
            }
            int bit = (value >> (7 - depth)) & 1;
            bit = coder.mixedBit(bit, slots, chosen, INPUTS, weights, first, RATE, SLOT_LIMIT);
            node = 2 * node + bit;
        }
        return node - 256;
    }

    private void findContexts(int at) {
        int phase = at % stride;
        int one = past(at, 1);
        int three = past(at, 3);
        int far = past(at, stride);
        int farther = past(at, 2 * stride);
        int pair = one << 8 | past(at, 2);
        int four = pair << 16 | three << 8 | past(at, 4);
        int six = spread(four) << 16 | past(at, 5) << 8 | past(at, 6);
        contexts[0] = spread(phase);
        contexts[1] = spread(1 << 20 | one << 4 | phase);
        contexts[2] = spread(2 << 20 | pair);
        contexts[3] = spread(pair << 8 | three) ^ 3;
        contexts[4] = spread(six) ^ 4;
        contexts[5] = spread(5 << 20 | far << 4 | phase);
        contexts[6] = spread(far << 16 | farther << 8 | phase) ^ 6;
        contexts[7] = spread(far << 16 | one << 8 | phase) ^ 7;
        contexts[8] = spread(8 << 20 | straightOn(at) << 4 | (at % 4)) ^ 8;
        for (int k = 0; k < ORDERS; k++) {
            contexts[k] *= NODE_STEP_INVERSE;
        }
    }

    /** Returns 16 well mixed bits of the key; 32-bit products may overflow here. */
    static int spread(int key) {
        key *= 0x9E3779B1;
        key ^= key >>> 15;
        key *= 0x9E3779B1;
        return key >>> 16;
    }

    private int past(int at, int back) {
        return at >= back ? content[at - back] & 255 : 0;
    }

    private long word(int start, int end) {
        long word = 0;
        for (int k = start; k < end; k++) {
            word |= (content[k] & 255L) << (8 * (k - start));
        }
        return word;
    }

    /** Returns byte at if 32-bit words went on in equal steps. */
    private int straightOn(int at) {
        int phase = at % 4;
        int start = at - phase;
        long word = 0;
        if (start >= 8) {
            word = 2 * word(start - 4, start) - word(start - 8, start - 4);
            word = (word & 0xFFFFFFFFL) - word(start, at);
        }
        return (int) (word >> (8 * phase)) & 255;
    }

    /** Finds where the longest earlier match of the bytes up to at goes on. */
    private void goOn(int at) {
        if (length > 0 && content[match] == content[at]) {
            match++;
            length++;
        } else {
            length = 0;
        }
        if (at + 1 < SHORTEST_MATCH) {
            return;
        }
        int key = 0;
        for (int back = 0; back < SHORTEST_MATCH; back++) {
            key = key * 0x2F0B4C47 + (content[at - back] & 255) + 1;
        }
        key = spread(key) & (latest.length - 1);
        if (length == 0) {
            match = latest[key];
            while (length < LONGEST_LOOK && match > length
                    && content[match - 1 - length] == content[at - length]) {
                length++;
            }
        }
        latest[key] = at + 1;
    }
}
