package org.sqzkit.sqz;

/** A Huffman code, of those that take as few bits the one that zlib chooses. */
final class HuffmanCode {
    /** Bits of each symbol's code; 0 if it has none. */
    final int[] lengths;
    /** The codes, their first bit lowest. */
    final int[] codes;
    /** Symbols up to the last that has a code. */
    final int count;

    /** How often each symbol and each pair of a tree occurs, and how deep the tree below it is. */
    private int[] weights;
    private int[] depths;
    private int[] parents;
    /** The lightest is first, at 1; behind the heap's end what was taken from it, the latest first. */
    private int[] heap;
    private int size;

    /** Makes the code that lengths describe. */
    HuffmanCode(int[] lengths) {
        this.lengths = lengths;
        codes = new int[lengths.length];
        count = lengths.length;
        assignCodes();
    }

    /** Makes a code for symbols that occur as often as given, of at most maxLength bits. */
    HuffmanCode(int[] frequencies, int maxLength) {
        int symbols = frequencies.length;
        lengths = new int[symbols];
        codes = new int[symbols];
        weights = new int[2 * symbols];
        depths = new int[2 * symbols];
        parents = new int[2 * symbols];
        heap = new int[2 * symbols + 1];
        int last = -1;
        for (int k = 0; k < symbols; k++) {
            weights[k] = frequencies[k];
            if (frequencies[k] > 0) {
                heap[++size] = last = k;
            }
        }
        while (size < 2) { // a decoder wants two codes, even if none or one is used
            int forced = last < 2 ? ++last : 0;
            heap[++size] = forced;
            weights[forced] = 1;
        }
        count = last + 1;
        limit(pair(symbols), maxLength);
        assignCodes();
    }

    /** Pairs the two lightest until one is left; returns where the order of all begins in the heap. */
    private int pair(int symbols) {
        for (int k = size / 2; k >= 1; k--) {
            sink(k);
        }
        int taken = heap.length;
        int node = symbols;
        do {
            int one = heap[1];
            heap[1] = heap[size--];
            sink(1);
            int other = heap[1];
            heap[--taken] = one;
            heap[--taken] = other;
            weights[node] = weights[one] + weights[other];
            depths[node] = Math.max(depths[one], depths[other]) + 1;
            parents[one] = parents[other] = node;
            heap[1] = node++;
            sink(1);
        } while (size >= 2);
        heap[--taken] = heap[1];
        return taken;
    }

    private void sink(int from) {
        int moved = heap[from];
        int at = from;
        for (int below = 2 * at; below <= size; below = 2 * at) {
            if (below < size && isLighter(heap[below + 1], heap[below])) {
                below++;
            }
            if (isLighter(moved, heap[below])) {
                break;
            }
            heap[at] = heap[below];
            at = below;
        }
        heap[at] = moved;
    }

    private boolean isLighter(int one, int other) {
        return weights[one] < weights[other]
                || weights[one] == weights[other] && depths[one] <= depths[other];
    }

    /** Gives each symbol the length of its code, from the root on, which is first in the order. */
    private void limit(int root, int maxLength) {
        int[] deep = new int[weights.length];
        int[] counts = new int[maxLength + 1];
        int tooLong = 0;
        for (int k = root + 1; k < heap.length; k++) {
            int node = heap[k];
            deep[node] = deep[parents[node]] + 1;
            if (deep[node] > maxLength) {
                deep[node] = maxLength;
                tooLong++;
            }
            if (node < lengths.length) {
                counts[deep[node]]++;
                lengths[node] = deep[node];
            }
        }
        if (tooLong == 0) {
            return;
        }
        for (; tooLong > 0; tooLong -= 2) {
            int shorter = maxLength - 1;
            while (counts[shorter] == 0) {
                shorter--;
            }
            counts[shorter]--; // becomes a pair, with one of those that were too long
            counts[shorter + 1] += 2;
            counts[maxLength]--;
        }
        int at = heap.length;
        for (int length = maxLength; length > 0; length--) {
            for (int left = counts[length]; left > 0; ) {
                int node = heap[--at];
                if (node < lengths.length) {
                    lengths[node] = length;
                    left--;
                }
            }
        }
    }

    private void assignCodes() {
        int code = 0;
        for (int length = 1; length <= 15; length++) {
            for (int k = 0; k < count; k++) {
                if (lengths[k] == length) {
                    codes[k] = Integer.reverse(code++) >>> 32 - length;
                }
            }
            code <<= 1;
        }
    }

    /** Returns the bits of symbols that occur as often as given, with their extra bits. */
    long cost(int[] frequencies, int[] extraBits) {
        long bits = 0;
        for (int k = 0; k < frequencies.length; k++) {
            bits += (long) frequencies[k] * (lengths[k] + extraBits[k]);
        }
        return bits;
    }
}
