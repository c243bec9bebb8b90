package org.sqzkit.teach;

import java.util.List;

/** A head ready to answer: a linear classifier of features. Any thread may use it. */
public final class TaughtHead {
    /** How wide "none of these" is taken to be: its share of the classes' precision. */
    private static final double BACKGROUND = 0.9;

    private final List<String> labels;
    private final Choice choice;
    private final double[][] coefficients;
    private final double[] biases;
    private final double[] mean;
    private final Cholesky factor;

    TaughtHead(List<String> labels, Moments moments, Choice choice) throws HeadException {
        this.labels = labels;
        this.choice = choice;
        mean = moments.mean;
        factor = moments.factor(Choice.STRENGTHS[choice.strength()]);
        coefficients = new double[labels.size()][];
        biases = new double[labels.size()];
        for (int c = 0; c < biases.length; c++) {
            double[] solved = moments.centred[c].clone();
            factor.forward(solved);
            factor.backward(solved);
            coefficients[c] = solved;
            biases[c] = -0.5 * Moments.dot(moments.centred[c], solved) - Moments.dot(solved, mean);
        }
    }

    /** Returns the class names, in the order of all other results. */
    public List<String> labels() {
        return labels;
    }

    public Choice choice() {
        return choice;
    }

    /** Returns the coefficients of a class, for features as they are. */
    public double[] coefficients(int label) {
        return coefficients[label].clone();
    }

    /** Returns the biases of the classes. */
    public double[] biases() {
        return biases.clone();
    }

    /** Returns the mean of the classes' means. */
    public double[] mean() {
        return mean.clone();
    }

    /** Returns the probability of each class; they sum to 1. */
    public double[] probabilities(short[] features) {
        double[] found = scores(features);
        double peak = found[0];
        for (double score : found) {
            peak = Math.max(peak, score);
        }
        double sum = 0;
        for (int c = 0; c < found.length; c++) {
            found[c] = Math.exp((found[c] - peak) / choice.temperature());
            sum += found[c];
        }
        for (int c = 0; c < found.length; c++) {
            found[c] /= sum;
        }
        return found;
    }

    /** Returns how much speaks for "none of these": a logarithm of a likelihood ratio. */
    public double evidence(short[] features) {
        double[] scores = scores(features);
        double[] white = new double[mean.length];
        for (int i = 0; i < white.length; i++) {
            white[i] = features[i] - mean[i];
        }
        factor.forward(white);
        return evidence(Moments.dot(white, white), scores);
    }

    /** Returns whether a photograph shows none of the classes. */
    public boolean isNone(short[] features) {
        return evidence(features) > choice.threshold();
    }

    /** Compares the best class with a wider Gaussian about the mean of all classes. */
    static double evidence(double distance, double[] scores) {
        double best = Double.NEGATIVE_INFINITY;
        for (double score : scores) {
            best = Math.max(best, score);
        }
        return (1 - BACKGROUND) * distance - 2 * best;
    }

    private double[] scores(short[] features) {
        Head.checkSize(features, mean.length);
        double[] scores = biases.clone();
        for (int c = 0; c < scores.length; c++) {
            double sum = 0;
            for (int i = 0; i < features.length; i++) {
                sum += coefficients[c][i] * features[i];
            }
            scores[c] += sum;
        }
        return scores;
    }
}
