package org.sqzkit.demo.model;

/**
 * How to run a model.
 *
 * @param threads 1 to the number of processors
 * @param xnnpack whether TensorFlow Lite's faster CPU kernels are used where they can be
 */
public record RunOptions(int threads, boolean xnnpack) {
    private static final int MOST_THREADS = 8;

    /** Two threads: more rarely help small models and warm the phone. */
    public static RunOptions usual() {
        return new RunOptions(Math.min(2, mostThreads()), true);
    }

    /** How many threads this device can run at once, at most 8. */
    public static int mostThreads() {
        return Math.min(Runtime.getRuntime().availableProcessors(), MOST_THREADS);
    }
}
