package org.sqzkit.sqz;

import java.util.Arrays;

/** What the base of an update has in the places of a tensor (docs/sqz.md, "References"). */
final class Reference {
    private static final int MAX_DISTINCT = 256;

    private final Directory.Tensor tensor;
    private final byte[] base;
    /** The distinct elements of a tensor of wider ones, sorted. */
    private final long[] distinct;
    private int count;
    private int zero;

    /** Reads a tensor's reference, which {@link Limits} let pass. */
    Reference(Directory.Tensor tensor, byte[] base) {
        this.tensor = tensor;
        this.base = base;
        distinct = new long[tensor.width > 1 ? MAX_DISTINCT : 0];
    }

    /** Returns a symbol for each weight. */
    byte[] symbols() throws SqzException {
        byte[] symbols = new byte[(int) tensor.size()];
        fill(symbols);
        if (tensor.width > 1) {
            // All distinct elements are known only now, and with them the rank of each.
            int place = Arrays.binarySearch(distinct, 0, count, 0);
            zero = Math.min(place < 0 ? ~place : place, count - 1);
            fill(symbols);
        }
        return symbols;
    }

    private void fill(byte[] symbols) throws SqzException {
        int[] runs = tensor.runs;
        int row = tensor.reference - 1;
        for (int to = 0; to < symbols.length; row += tensor.baseInputs * tensor.width) {
            for (int k = 0; k < runs.length; k += 2) {
                int end = to + runs[k + 1];
                int shared = Math.min(runs[k + 1], tensor.baseInputs - runs[k]);
                for (int n = 0; n < shared; n++) {
                    symbols[to + n] = symbol(row + (runs[k] + n) * tensor.width);
                }
                to = end;
            }
        }
    }

    private byte symbol(int at) throws SqzException {
        if (tensor.width == 1) {
            return (byte) (base[at] - tensor.center);
        }
        long element = element(at);
        int rank = Arrays.binarySearch(distinct, 0, count, element);
        if (rank < 0) {
            if (count == MAX_DISTINCT) {
                throw new SqzException(
                        "more than " + MAX_DISTINCT + " values in the base of a codebook");
            }
            System.arraycopy(distinct, ~rank, distinct, ~rank + 1, count++ - ~rank);
            distinct[~rank] = element;
        }
        return (byte) (rank - zero);
    }

    /** Returns an element as a number that sorts as floats do. */
    private long element(int at) {
        long bits = base[at + tensor.width - 1];
        for (int k = tensor.width - 2; k >= 0; k--) {
            bits = bits << 8 | base[at + k] & 255;
        }
        return bits < 0 ? bits ^ Long.MAX_VALUE >>> 64 - 8 * tensor.width : bits;
    }
}
