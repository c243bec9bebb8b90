package org.sqzkit.teach;

import java.util.Arrays;
import java.util.Collection;

/**
 * What the head says of each photograph when it is taught without it, in closed form. Photographs
 * that are alone in their class cannot be left out.
 */
final class LeaveOneOut {
    /** The share of wrong first answers, mean over the classes. */
    double error = 1;
    /** [photographs left out] in stored order. */
    final double[] evidence;

    private static final double[] TEMPERATURES = temperatures();
    private static final double FALSE_ALARMS = 0.05;
    /** Shares of wrong answers that differ by less are equal: rounding must not decide. */
    private static final double EQUAL = 1e-9;

    private final Moments moments;
    private final double strength;
    private final Cholesky factor;
    /** [classes][size] L⁻¹ times the centred means. */
    private final double[][] white;
    /** [classes] the squared lengths of `white`. */
    private final double[] norms;
    /** [size] L⁻¹ times the photograph less the mean, and less its class's mean. */
    private final double[] v;
    private final double[] u;
    private final double[] losses = new double[TEMPERATURES.length];
    private int done;

    LeaveOneOut(Moments moments, Collection<Photographs> classes, double strength)
            throws HeadException {
        this.moments = moments;
        this.strength = strength;
        factor = moments.factor(strength);
        white = new double[moments.centred.length][];
        norms = new double[white.length];
        v = new double[moments.mean.length];
        u = new double[moments.mean.length];
        for (int c = 0; c < white.length; c++) {
            white[c] = moments.centred[c].clone();
            factor.forward(white[c]);
            norms[c] = Moments.dot(white[c], white[c]);
        }
        int number = 0;
        for (Photographs one : classes) {
            number += one.count() > 1 ? one.present.size() : 0;
        }
        evidence = new double[number];
        leaveOut(classes);
    }

    /** Returns strength, temperature and threshold by the photographs that can be left out. */
    static Choice choose(Moments moments, Collection<Photographs> classes) throws HeadException {
        LeaveOneOut best = null;
        int strength = 0;
        for (int k = Choice.STRENGTHS.length - 1; k >= 0; k--) {
            LeaveOneOut found = new LeaveOneOut(moments, classes, Choice.STRENGTHS[k]);
            if (found.evidence.length == 0) {
                return Choice.DEFAULT;
            }
            if (best == null || found.error < best.error - EQUAL) {
                best = found;
                strength = k;
            }
        }
        return new Choice(strength, best.temperature(), best.threshold());
    }

    private void leaveOut(Collection<Photographs> classes) {
        double shares = 0;
        int counted = 0;
        int label = 0;
        for (Photographs one : classes) {
            if (one.count() > 1 && !one.present.isEmpty()) {
                shares += (double) wrong(label, one) / one.present.size();
                counted++;
            }
            label++;
        }
        error = counted == 0 ? 1 : shares / counted;
    }

    /** Leaves out each photograph of a class; returns how many are then answered wrongly. */
    private int wrong(int label, Photographs photographs) {
        double[] products = new double[white.length];
        for (int k = 0; k < white.length; k++) {
            products[k] = Moments.dot(white[label], white[k]);
        }
        int wrong = 0;
        double[] scores = new double[white.length];
        for (short[] features : photographs.present) {
            evidence[done++] = scores(features, label, photographs.count(), products, scores);
            int best = 0;
            for (int k = 1; k < scores.length; k++) {
                best = scores[k] > scores[best] ? k : best;
            }
            wrong += best == label ? 0 : 1;
            addLosses(scores, label, best, 1.0 / photographs.present.size());
        }
        return wrong;
    }

    /**
     * Computes the scores of a photograph that is left out, and returns its evidence. The names are
     * those of docs/teaching.md; aᵀx is L⁻¹u · L⁻¹x.
     */
    private double scores(short[] features, int label, int count, double[] products,
            double[] scores) {
        for (int i = 0; i < v.length; i++) {
            v[i] = features[i] - moments.mean[i];
        }
        factor.forward(v);
        for (int i = 0; i < u.length; i++) {
            u[i] = v[i] - white[label][i];
        }
        double plain = Moments.dot(v, v);
        double au = Moments.dot(u, u);
        double av = Moments.dot(u, v);
        double r = (double) count / (count - 1);
        double w = (1 - strength) / moments.rest * r;
        double g = w / Math.max(1 - w * au, 1e-12);
        double h = 1.0 / ((count - 1.0) * scores.length);
        double along = av + h * au;
        double q = plain + 2 * h * av + h * h * au + g * along * along;
        for (int k = 0; k < scores.length; k++) {
            double toMean = Moments.dot(v, white[k]);
            double towards = av - (toMean - products[k]);
            double distance = plain - 2 * toMean + norms[k] + g * towards * towards;
            scores[k] = (q - distance) / 2;
        }
        scores[label] = (q - r * r * (au + g * au * au)) / 2;
        return TaughtHead.evidence(q, scores);
    }

    private void addLosses(double[] scores, int label, int best, double weight) {
        for (int t = 0; t < losses.length; t++) {
            double peak = scores[best] / TEMPERATURES[t];
            double sum = 0;
            for (double score : scores) {
                sum += Math.exp(score / TEMPERATURES[t] - peak);
            }
            losses[t] -= weight * (scores[label] / TEMPERATURES[t] - peak - Math.log(sum));
        }
    }

    private double temperature() {
        int best = 0;
        for (int t = 1; t < losses.length; t++) {
            best = losses[t] < losses[best] ? t : best;
        }
        return TEMPERATURES[best];
    }

    private double threshold() {
        double[] sorted = evidence.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length - 1 - (int) (FALSE_ALARMS * sorted.length)];
    }

    /** Returns 2^(j/4), j = -8..40: the same bits on every machine, unlike a power function's. */
    private static double[] temperatures() {
        double[] roots = {1, 1.189207115002721, Math.sqrt(2), 1.681792830507429};
        double[] found = new double[49];
        for (int j = 0; j < found.length; j++) {
            found[j] = Math.scalb(roots[j % 4], j / 4 - 2);
        }
        return found;
    }
}
