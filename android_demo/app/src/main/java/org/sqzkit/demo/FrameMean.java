package org.sqzkit.demo;

/** The mean probabilities of the last {@link #FRAMES} frames, so that the live view's answers do not flicker. */
final class FrameMean {
    static final int FRAMES = 5;

    private final float[][] last = new float[FRAMES][];
    private int count;

    /** Adds a frame's probabilities; returns the mean of the last frames. */
    float[] add(float[] probabilities) {
        last[count++ % FRAMES] = probabilities;
        int frames = Math.min(count, FRAMES);
        float[] mean = new float[probabilities.length];
        for (int i = 0; i < mean.length; i++) {
            for (int frame = 0; frame < frames; frame++) {
                mean[i] += last[frame][i] / frames;
            }
        }
        return mean;
    }

    /** Forgets all frames: the next picture has nothing to do with them. */
    void clear() {
        count = 0;
    }
}
