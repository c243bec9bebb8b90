package org.sqzkit.demo.model;

/**
 * How to run a model.
 *
 * @param threads 1 to the number of processors
 * @param xnnpack whether TensorFlow Lite's faster CPU kernels are used where they can be
 */
public record RunOptions(int threads, boolean xnnpack) {
    private static final int MAX_THREADS = 8;

    /** Returns two threads and XNNPACK: more threads rarely help small models, and heat the phone. */
    public static RunOptions defaults() {
        return new RunOptions(Math.min(2, maxThreads()), true);
    }

    /** How many threads this device can run at once, at most 8. */
    public static int maxThreads() {
        return Math.min(Runtime.getRuntime().availableProcessors(), MAX_THREADS);
    }
}
