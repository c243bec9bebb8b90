package org.sqzkit.teach;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;

/** The classes' means and their common scatter. docs/teaching.md numbers the steps. */
final class Moments {
    /** [classes][size] the classes' means, less {@link #mean}. */
    final double[][] centred;
    /** [size] the mean of the classes' means. */
    final double[] mean;
    /** N - C, at least 1. */
    final long rest;

    /** Of the features' mean size: those that were 0 get a ridge by it. */
    private static final double FLOOR = 0.1;

    private final double[][] scatter;
    /** [size] what is added to the diagonal, times the strength. */
    private final double[] ridge;
    /** [size] factors of the features that make the ridge the same for all: 1. */
    private final double[] scale;

    Moments(Collection<Photographs> classes, Gram gram) {
        int size = gram.rows.length;
        double[] counts = new double[classes.size()];
        double[][] totals = new double[classes.size()][size];
        long photographs = 0;
        int number = 0;
        for (Photographs one : classes) {
            photographs += one.count();
            counts[number] = one.count();
            long[] total = one.total();
            for (int i = 0; i < size; i++) {
                totals[number][i] = total[i];
            }
            number++;
        }
        rest = Math.max(photographs - number, 1);
        scatter = scatter(gram, totals, counts);
        mean = centre(totals, counts);
        centred = totals;
        ridge = ridge();
        scale = new double[size];
        for (int i = 0; i < size; i++) {
            scale[i] = 1 / Math.sqrt(ridge[i]);
        }
    }

    /** Returns the factor of the covariance with the ridge of a strength. */
    Cholesky factor(double strength) throws HeadException {
        double[][] covariance = new double[scatter.length][];
        double share = (1 - strength) / rest;
        for (int i = 0; i < scatter.length; i++) {
            covariance[i] = scatter[i].clone();
            for (int j = 0; j < covariance[i].length; j++) {
                covariance[i][j] *= share;
            }
            covariance[i][0] += strength * ridge[i];
        }
        return new Cholesky(covariance);
    }

    /** Returns photographs less the mean of the classes' means, scaled. */
    double[][] centre(List<short[]> photographs) {
        double[][] found = new double[photographs.size()][mean.length];
        for (int k = 0; k < found.length; k++) {
            short[] features = photographs.get(k);
            for (int i = 0; i < mean.length; i++) {
                found[k][i] = (features[i] - mean[i]) * scale[i];
            }
        }
        return found;
    }

    /** Returns a class's mean less the mean of all, scaled. */
    double[] scaled(int label) {
        double[] found = centred[label].clone();
        for (int i = 0; i < found.length; i++) {
            found[i] *= scale[i];
        }
        return found;
    }

    /** Returns the scatter of the scaled features, taken apart. */
    Tridiagonal tridiagonal() {
        double[][] copy = new double[scatter.length][];
        for (int i = 0; i < copy.length; i++) {
            copy[i] = scatter[i].clone();
            for (int j = 0; j < copy[i].length; j++) {
                copy[i][j] *= scale[i] * scale[i + j];
            }
        }
        return new Tridiagonal(copy);
    }

    /** Adds row i of the scatter times a factor to a sum. */
    void addScatterRow(int i, double factor, double[] sum) {
        for (int j = 0; j < sum.length; j++) {
            sum[j] += factor * (j < i ? scatter[j][i - j] : scatter[i][j - i]);
        }
    }

    private static double[][] scatter(Gram gram, double[][] totals, double[] counts) {
        double[][] scatter = new double[gram.rows.length][];
        for (int i = 0; i < scatter.length; i++) {
            double[] row = new double[gram.rows[i].length];
            scatter[i] = row;
            for (int j = 0; j < row.length; j++) {
                row[j] = gram.rows[i][j];
            }
            for (int c = 0; c < counts.length; c++) {
                double[] total = totals[c];
                double factor = total[i];
                for (int j = 0; j < row.length; j++) {
                    row[j] -= factor * total[i + j] / counts[c];
                }
            }
        }
        return scatter;
    }

    /** Turns totals into means less their mean, which it returns. */
    private static double[] centre(double[][] totals, double[] counts) {
        double[] mean = new double[totals[0].length];
        for (int i = 0; i < mean.length; i++) {
            double sum = 0;
            for (int c = 0; c < counts.length; c++) {
                totals[c][i] /= counts[c];
                sum += totals[c][i];
            }
            mean[i] = sum / counts.length;
            for (double[] row : totals) {
                row[i] -= mean[i];
            }
        }
        return mean;
    }

    /** Returns the ridge: it grows with the root of the feature's mean size. */
    private double[] ridge() {
        int size = scatter.length;
        double[] found = new double[size];
        double sizes = 0;
        for (double one : mean) {
            sizes += Math.abs(one);
        }
        double share = 0;
        for (int i = 0; i < size && sizes > 0; i++) {
            found[i] = Math.sqrt(Math.abs(mean[i]) + FLOOR * (sizes / size));
            share += scatter[i][0] / found[i];
        }
        share /= size * rest;
        if (!(share > 0)) {
            Arrays.fill(found, apart());
            return found;
        }
        for (int i = 0; i < size; i++) {
            found[i] *= share;
        }
        return found;
    }

    /** Returns how far the classes are apart: for one photograph of each class, or copies. */
    private double apart() {
        double apart = 0;
        for (double[] row : centred) {
            apart += dot(row, row);
        }
        double found = apart / (scatter.length * (long) centred.length);
        return found > 0 ? found : 1;
    }

    /** Returns the sum of products, added from the first to the last. */
    static double dot(double[] first, double[] second) {
        double sum = first[0] * second[0];
        for (int i = 1; i < first.length; i++) {
            sum += first[i] * second[i];
        }
        return sum;
    }
}
