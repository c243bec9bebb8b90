package org.sqzkit.teach;

/**
 * The lower factor L of a positive definite matrix, L Lᵀ. Each value is changed by one operation at
 * a time in the order that docs/teaching.md states, so that Python's program gets the same bits.
 */
final class Cholesky {
    /** Column k holds L[k][k], L[k + 1][k], ... */
    private final double[][] columns;

    /**
     * Factors a matrix in place.
     *
     * @param columns column k holds the elements [k][k], [k + 1][k], ...; belongs to the factor then
     */
    Cholesky(double[][] columns) throws HeadException {
        this.columns = columns;
        int size = columns.length;
        for (int k = 0; k < size; k++) {
            double[] column = columns[k];
            if (!(column[0] > 0) || Double.isInfinite(column[0])) {
                throw HeadException.damaged("the sums are not positive definite: pivot " + k
                        + " is " + column[0]);
            }
            column[0] = Math.sqrt(column[0]);
            for (int i = 1; i < column.length; i++) {
                column[i] /= column[0];
            }
            for (int j = 1; j < column.length; j++) {
                subtract(columns[k + j], column, j, column[j]);
            }
        }
    }

    /** Solves L y = right in place. */
    void forward(double[] right) {
        for (int k = 0; k < columns.length; k++) {
            double[] column = columns[k];
            double value = right[k] / column[0];
            right[k] = value;
            for (int i = 1; i < column.length; i++) {
                right[k + i] -= column[i] * value;
            }
        }
    }

    /** Solves Lᵀ y = right in place. */
    void backward(double[] right) {
        for (int i = columns.length - 1; i >= 0; i--) {
            double[] column = columns[i];
            double value = right[i];
            for (int k = column.length - 1; k > 0; k--) {
                value -= column[k] * right[i + k];
            }
            right[i] = value / column[0];
        }
    }

    private static void subtract(double[] target, double[] column, int from, double factor) {
        for (int i = 0; i < target.length; i++) {
            target[i] -= column[from + i] * factor;
        }
    }
}
