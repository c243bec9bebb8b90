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
        double[] products = new double[vectors.length];
        for (int k = 0; k < reflections.length; k++) {
            double[] v = reflections[k];
            if (v != null) {
                dots(v, vectors, k + 1, products);
                for (int i = 0; i < products.length; i++) {
                    add(vectors[i], k + 1, v, -2 * products[i]);
                }
            }
        }
    }

    /** Computes the products of a vector with others from a place on: four at once, which is faster. */
    static void dots(double[] one, double[][] others, int at, double[] products) {
        int k = 0;
        for (; k < others.length - 3; k += 4) {
            double[] first = others[k];
            double[] second = others[k + 1];
            double[] third = others[k + 2];
            double[] fourth = others[k + 3];
            double a = 0;
            double b = 0;
            double c = 0;
            double d = 0;
            double e = 0;
            double f = 0;
            double g = 0;
            double h = 0;
            int i = 0;
            for (; i < one.length - 1; i += 2) {
                double x = one[i];
                double y = one[i + 1];
                a += x * first[at + i];
                b += y * first[at + i + 1];
                c += x * second[at + i];
                d += y * second[at + i + 1];
                e += x * third[at + i];
                f += y * third[at + i + 1];
                g += x * fourth[at + i];
                h += y * fourth[at + i + 1];
            }
            double rest = i < one.length ? one[i] : 0;
            int last = Math.min(at + i, first.length - 1);
            products[k] = a + b + rest * first[last];
            products[k + 1] = c + d + rest * second[last];
            products[k + 2] = e + f + rest * third[last];
            products[k + 3] = g + h + rest * fourth[last];
        }
        for (; k < others.length; k++) {
            products[k] = dot(one, 0, others[k], at, one.length);
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
