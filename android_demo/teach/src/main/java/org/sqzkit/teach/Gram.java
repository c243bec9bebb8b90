package org.sqzkit.teach;

/**
 * The sum over photographs of features times features: exact, so that a photograph can be taken
 * back and the order does not matter.
 */
final class Gram {
    /** Row i: the products of feature i with the features i, i + 1, ... */
    final long[][] rows;

    Gram(int size) {
        rows = new long[size][];
        for (int i = 0; i < size; i++) {
            rows[i] = new long[size - i];
        }
    }

    /** Adds a photograph, or takes it back if the sign is -1. */
    void add(short[] features, int sign) {
        for (int i = 0; i < rows.length; i++) {
            int factor = sign * features[i];
            long[] row = rows[i];
            // Networks have many features that are 0.
            for (int j = 0; factor != 0 && j < row.length; j++) {
                row[j] += factor * features[i + j];
            }
        }
    }

    void add(Gram other) {
        for (int i = 0; i < rows.length; i++) {
            for (int j = 0; j < rows[i].length; j++) {
                rows[i][j] += other.rows[i][j];
            }
        }
    }

    Gram copy() {
        Gram copy = new Gram(rows.length);
        copy.add(this);
        return copy;
    }
}
