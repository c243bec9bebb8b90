package org.sqzkit.sqz;

import java.util.Arrays;

/** The distinct elements of a tensor, in the order of floats (docs/sqz.md, "Weights stream"). */
final class Codebook {
    static final int MAX_ENTRIES = 256;

    private final long[] entries = new long[MAX_ENTRIES];
    private int count;

    /**
     * Returns how many of the entries are smaller than the element at a place of content, which
     * becomes an entry; -1 if there are too many. It is its rank once all elements were seen.
     */
    int rank(byte[] content, int at, int width) {
        long bits = content[at + width - 1];
        for (int k = width - 2; k >= 0; k--) {
            bits = bits << 8 | content[at + k] & 255;
        }
        long element = flipped(bits, width);
        int rank = Arrays.binarySearch(entries, 0, count, element);
        if (rank < 0) {
            rank = ~rank;
            if (count == MAX_ENTRIES) {
                return -1;
            }
            System.arraycopy(entries, rank, entries, rank + 1, count++ - rank);
            entries[rank] = element;
        }
        return rank;
    }

    int size() {
        return count;
    }

    /** Returns the rank that symbol 0 stands for: that of zero, if it is an entry. */
    int center() {
        int place = Arrays.binarySearch(entries, 0, count, 0);
        return Math.min(place < 0 ? ~place : place, count - 1);
    }

    /** Returns the entries as they are in a file. */
    byte[] bytes(int width) {
        byte[] bytes = new byte[count * width];
        for (int k = 0; k < bytes.length; k++) {
            bytes[k] = (byte) (flipped(entries[k / width], width) >> 8 * (k % width));
        }
        return bytes;
    }

    /** Returns an element as a number that sorts as floats do, or the element of such a number. */
    private static long flipped(long bits, int width) {
        return bits < 0 ? bits ^ Long.MAX_VALUE >>> 64 - 8 * width : bits;
    }
}
