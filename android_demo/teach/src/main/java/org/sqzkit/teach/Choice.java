package org.sqzkit.teach;

/** What left-out photographs decide: ridge strength, temperature and threshold. */
public final class Choice {
    static final double[] STRENGTHS = {0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9};

    /** The choice where no photograph can be left out. */
    public static final Choice DEFAULT = new Choice(4, 1, Double.POSITIVE_INFINITY);

    private final int strength;
    private final double temperature;
    private final double threshold;

    /**
     * Makes a choice.
     *
     * @param strength number of the ridge strength, 0..6
     * @param temperature divides the scores, so that probabilities are calibrated; finite, above 0
     * @param threshold evidence above it means "none of these"; infinity: never
     * @throws IllegalArgumentException if a value is outside its range
     */
    public Choice(int strength, double temperature, double threshold) {
        if (strength < 0 || strength >= STRENGTHS.length || !(temperature > 0)
                || Double.isInfinite(temperature) || Double.isNaN(threshold)) {
            throw new IllegalArgumentException("strength " + strength + ", temperature "
                    + temperature + ", threshold " + threshold);
        }
        this.strength = strength;
        this.temperature = temperature;
        this.threshold = threshold;
    }

    public int strength() {
        return strength;
    }

    public double temperature() {
        return temperature;
    }

    public double threshold() {
        return threshold;
    }

    /** Returns the larger of each value of two choices, or null if one is missing. */
    static Choice moreCautious(Choice first, Choice second) {
        if (first == null || second == null) {
            return null;
        }
        return new Choice(Math.max(first.strength, second.strength),
                Math.max(first.temperature, second.temperature),
                Math.max(first.threshold, second.threshold));
    }
}
