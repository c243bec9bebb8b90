package org.sqzkit.sqz;

/** What the base of an update has in the places of a tensor (docs/sqz.md, "References"). */
final class Reference {
    private final Directory.Tensor tensor;
    private final byte[] base;
    /** Of a tensor of wider elements. */
    private final Codebook codebook;
    private int center;

    /** Reads a tensor's reference, which {@link Limits} let pass. */
    Reference(Directory.Tensor tensor, byte[] base) {
        this.tensor = tensor;
        this.base = base;
        codebook = tensor.width > 1 ? new Codebook() : null;
    }

    /** Returns a symbol for each weight. */
    byte[] symbols() throws SqzException {
        byte[] symbols = new byte[(int) tensor.size()];
        fill(symbols);
        if (tensor.width > 1) {
            // All distinct elements are known only now, and with them the rank of each.
            center = codebook.center();
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
        int rank = codebook.rank(base, at, tensor.width);
        if (rank < 0) {
            throw new SqzException("more than " + Codebook.MAX_ENTRIES + " values in the base of a codebook");
        }
        return (byte) (rank - center);
    }
}
