package org.sqzkit.teach;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;

/**
 * What the head of one strength says of each photograph when it is taught without it, in closed form.
 * Photographs that are alone in their class cannot be left out.
 */
final class LeaveOneOut {
    /** [classes] how many photographs that were left out are answered rightly. */
    final int[] recognized;
    /** [photographs left out] in stored order. */
    final double[] evidence;

    private static final double[] TEMPERATURES = temperatures();
    /** Temperatures of one octave: each is the one so many places before, times two. */
    private static final int OCTAVE = 4;
    /** Photographs that are rotated at once. */
    private static final int BATCH = 4;
    private static final double FALSE_ALARMS = 0.05;
    /** Losses that differ by less are equal: rounding must not decide. */
    private static final double EQUAL = 1e-9;

    /** (1 - strength) / ν. */
    private final double share;
    /** The factor of the covariance in the rotated space: 1 / L[k][k], and L[k][k - 1] / L[k][k]. */
    private final double[] inverse;
    private final double[] below;
    /** [classes][size] L⁻¹ times the centred means. */
    private final double[][] white;
    /** [classes][classes] the products of `white`. */
    private final double[][] products;
    /** [size] L⁻¹ times the photograph less the mean. */
    private final double[] v;
    /** [classes] its products with `white`. */
    private final double[] toMeans;
    private final double[] scores;
    private final double[] powers;
    private final double[] losses = new double[TEMPERATURES.length];
    private int done;

    private LeaveOneOut(Moments moments, Tridiagonal basis, double[][] means, double strength,
            int photographs) throws HeadException {
        int size = basis.diagonal.length;
        share = (1 - strength) / moments.rest;
        inverse = new double[size];
        below = new double[size];
        factor(basis, strength);
        white = new double[means.length][size];
        products = new double[means.length][means.length];
        v = new double[size];
        toMeans = new double[means.length];
        scores = new double[means.length];
        powers = new double[means.length];
        recognized = new int[means.length];
        evidence = new double[photographs];
        for (int c = 0; c < means.length; c++) {
            whiten(means[c], white[c]);
            for (int k = 0; k <= c; k++) {
                products[c][k] = Tridiagonal.dot(white[c], 0, white[k], 0, size);
                products[k][c] = products[c][k];
            }
        }
    }

    /**
     * Returns what the heads of some strengths say.
     *
     * @param strengths shares of the ridge
     */
    static LeaveOneOut[] over(Moments moments, Collection<Photographs> classes,
            double... strengths) throws HeadException {
        Tridiagonal basis = moments.tridiagonal();
        double[][] means = new double[classes.size()][];
        int count = 0;
        for (Photographs one : classes) {
            count += one.count() > 1 ? one.present.size() : 0;
        }
        for (int c = 0; c < means.length; c++) {
            means[c] = moments.scaled(c);
            basis.rotate(means[c]);
        }
        LeaveOneOut[] found = new LeaveOneOut[strengths.length];
        for (int k = 0; k < found.length; k++) {
            found[k] = new LeaveOneOut(moments, basis, means, strengths[k], count);
        }
        int label = 0;
        for (Photographs one : classes) {
            List<short[]> photographs = new ArrayList<>(one.count() > 1 ? one.present
                    : Collections.<short[]>emptySet());
            for (int from = 0; from < photographs.size(); from += BATCH) {
                int to = Math.min(from + BATCH, photographs.size());
                double[][] batch = moments.centre(photographs.subList(from, to));
                basis.rotate(batch);
                for (LeaveOneOut strength : found) {
                    for (double[] features : batch) {
                        strength.leaveOut(features, label, one);
                    }
                }
            }
            label++;
        }
        return found;
    }

    /** Returns strength, temperature and threshold by the photographs that can be left out. */
    static Choice choose(Moments moments, Collection<Photographs> classes) throws HeadException {
        LeaveOneOut[] found = over(moments, classes, Choice.STRENGTHS);
        if (found[0].evidence.length == 0) {
            return Choice.DEFAULT;
        }
        int best = found.length - 1;
        for (int k = best - 1; k >= 0; k--) {
            best = found[k].loss() < found[best].loss() - EQUAL ? k : best;
        }
        return new Choice(best, found[best].temperature(), found[best].threshold());
    }

    /** Factors the tridiagonal covariance. */
    private void factor(Tridiagonal basis, double ridge) throws HeadException {
        for (int k = 0; k < inverse.length; k++) {
            double left = k == 0 ? 0 : share * basis.beside[k - 1] * inverse[k - 1];
            double pivot = share * basis.diagonal[k] + ridge - left * left;
            if (!(pivot > 0) || Double.isInfinite(pivot)) {
                throw HeadException.damaged("the sums are not positive definite: pivot " + k
                        + " is " + pivot);
            }
            inverse[k] = 1 / Math.sqrt(pivot);
            below[k] = left * inverse[k];
        }
    }

    private void whiten(double[] vector, double[] result) {
        double last = 0;
        for (int k = 0; k < vector.length; k++) {
            last = vector[k] * inverse[k] - below[k] * last;
            result[k] = last;
        }
    }

    private void leaveOut(double[] features, int label, Photographs photographs) {
        evidence[done++] = score(features, label, photographs.count());
        int best = 0;
        for (int k = 1; k < scores.length; k++) {
            best = scores[k] > scores[best] ? k : best;
        }
        recognized[label] += best == label ? 1 : 0;
        addLosses(label, best, 1.0 / photographs.present.size());
    }

    /**
     * Computes the scores of a photograph that is left out, and returns its evidence. The names are
     * those of docs/teaching.md; aᵀx is L⁻¹u · L⁻¹x, and u is v less the class's mean.
     */
    private double score(double[] features, int label, int count) {
        whiten(features, v);
        Tridiagonal.dots(v, white, 0, toMeans);
        double plain = Tridiagonal.dot(v, 0, v, 0, v.length);
        double av = plain - toMeans[label];
        double au = Math.max(av - toMeans[label] + products[label][label], 0);
        double r = (double) count / (count - 1);
        double w = share * r;
        double g = w / Math.max(1 - w * au, 1e-12);
        double h = 1.0 / ((count - 1.0) * scores.length);
        double along = av + h * au;
        double q = plain + 2 * h * av + h * h * au + g * along * along;
        for (int k = 0; k < scores.length; k++) {
            double towards = av - (toMeans[k] - products[label][k]);
            double distance = plain - 2 * toMeans[k] + products[k][k] + g * towards * towards;
            scores[k] = (q - distance) / 2;
        }
        scores[label] = (q - r * r * (au + g * au * au)) / 2;
        return TaughtHead.evidence(q, scores);
    }

    /** Adds the photograph's cross-entropy at each temperature. */
    private void addLosses(int label, int best, double weight) {
        for (int start = 0; start < OCTAVE; start++) {
            // From the highest temperature down: half of it is the square of each power.
            for (int t = TEMPERATURES.length - 1 - start; t >= 0; t -= OCTAVE) {
                boolean first = t > TEMPERATURES.length - 1 - OCTAVE;
                double sum = 0;
                for (int k = 0; k < powers.length; k++) {
                    powers[k] = first ? Math.exp((scores[k] - scores[best]) / TEMPERATURES[t])
                            : powers[k] * powers[k];
                    sum += powers[k];
                }
                losses[t] -= weight
                        * ((scores[label] - scores[best]) / TEMPERATURES[t] - Math.log(sum));
            }
        }
    }

    private double temperature() {
        return TEMPERATURES[least()];
    }

    /** Returns the least cross-entropy at a temperature: the mean of each class, summed over all. */
    double loss() {
        return losses[least()];
    }

    private int least() {
        int best = 0;
        for (int t = 1; t < losses.length; t++) {
            best = losses[t] < losses[best] ? t : best;
        }
        return best;
    }

    /** Returns the evidence that at most 5 % of new photographs exceed: such a one counts as one more. */
    private double threshold() {
        double[] sorted = evidence.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length - Math.max(1, (int) (FALSE_ALARMS * (sorted.length + 1)))];
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
