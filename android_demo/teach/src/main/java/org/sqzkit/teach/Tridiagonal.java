package org.sqzkit.teach;

/**
 * A symmetric matrix as Q T Qᵀ with a tridiagonal T, by Householder's reflections. With multiples of
 * the unit matrix added it has the same Q, so that all strengths share the work of finding it.
 */
final class Tridiagonal {
    /** [size] the diagonal of T. */
    final double[] diagonal;
    /** [size] what is beside it: element k is T[k][k + 1]. */
    final double[] beside;
    /** Reflection k works on the elements k + 1, ...: a unit vector, or null for none. */
    private final double[][] reflections;

    /**
     * Takes a matrix apart.
     *
     * @param columns column k holds the elements [k][k], [k + 1][k], ...; overwritten
     */
    Tridiagonal(double[][] columns) {
        int size = columns.length;
        diagonal = new double[size];
        beside = new double[size];
        reflections = new double[size][];
        for (int k = 0; k < size; k++) {
            diagonal[k] = columns[k][0];
            if (k < size - 1) {
                reflections[k] = reflection(k, columns[k]);
                if (reflections[k] != null) {
                    reflect(columns, k + 1, reflections[k]);
                }
            }
        }
    }

    /** Returns the unit vector that takes a column below its diagonal to its first element. */
    private double[] reflection(int k, double[] column) {
        double[] vector = new double[column.length - 1];
        System.arraycopy(column, 1, vector, 0, vector.length);
        double length = Math.sqrt(dot(vector, 0, vector, 0, vector.length));
        beside[k] = vector[0] > 0 ? -length : length;
        vector[0] -= beside[k];
        double norm = Math.sqrt(dot(vector, 0, vector, 0, vector.length));
        if (!(norm > 0)) {
            return null;
        }
        for (int i = 0; i < vector.length; i++) {
            vector[i] /= norm;
        }
        return vector;
    }

    /** Applies a reflection from both sides to what begins at a row and column. */
    private static void reflect(double[][] columns, int from, double[] v) {
        double[] w = new double[v.length];
        for (int j = 0; j < v.length; j++) {
            double[] column = columns[from + j];
            add(w, j, column, v[j]);
            w[j] += dot(column, 1, v, j + 1, column.length - 1);
        }
        double along = dot(v, 0, w, 0, v.length);
        for (int j = 0; j < v.length; j++) {
            w[j] = 2 * (w[j] - along * v[j]);
        }
        for (int j = 0; j < v.length; j++) {
            subtract(columns[from + j], v, w, j);
        }
    }

    private static void add(double[] target, int from, double[] column, double factor) {
        for (int i = 0; i < column.length; i++) {
            target[from + i] += column[i] * factor;
        }
    }

    private static void subtract(double[] column, double[] v, double[] w, int j) {
        double first = v[j];
        double second = w[j];
        for (int i = 0; i < column.length; i++) {
            column[i] -= w[j + i] * first + v[j + i] * second;
        }
    }

    /** Multiplies vectors by Qᵀ, in place; a few at once, so that they stay near the processor. */
    void rotate(double[]... vectors) {
        for (int k = 0; k < reflections.length; k++) {
            double[] v = reflections[k];
            for (double[] vector : vectors) {
                if (v != null) {
                    add(vector, k + 1, v, -2 * dot(v, 0, vector, k + 1, v.length));
                }
            }
        }
    }

    /** Returns the sum of products, in an order that processors are fast at. */
    static double dot(double[] one, int from, double[] other, int at, int count) {
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        double e = 0;
        double f = 0;
        double g = 0;
        double h = 0;
        int i = 0;
        for (; i < count - 7; i += 8) {
            a += one[from + i] * other[at + i];
            b += one[from + i + 1] * other[at + i + 1];
            c += one[from + i + 2] * other[at + i + 2];
            d += one[from + i + 3] * other[at + i + 3];
            e += one[from + i + 4] * other[at + i + 4];
            f += one[from + i + 5] * other[at + i + 5];
            g += one[from + i + 6] * other[at + i + 6];
            h += one[from + i + 7] * other[at + i + 7];
        }
        for (; i < count; i++) {
            a += one[from + i] * other[at + i];
        }
        return a + b + (c + d) + (e + f + (g + h));
    }
}
