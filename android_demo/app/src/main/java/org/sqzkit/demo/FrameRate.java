package org.sqzkit.demo;

/** Frames per second over the last frames. */
final class FrameRate {
    private final long[] times;
    private int count;

    FrameRate(int window) {
        times = new long[window];
    }

    /** Notes a frame at {@code nanoseconds} of a clock that never goes back. */
    void frame(long nanoseconds) {
        times[count++ % times.length] = nanoseconds;
    }

    /** Frames per second; 0 before the second frame. */
    double perSecond() {
        int frames = Math.min(count, times.length);
        if (frames < 2) {
            return 0;
        }
        long last = times[(count - 1) % times.length];
        long first = times[(count - frames) % times.length];
        return last == first ? 0 : (frames - 1) * 1e9 / (last - first);
    }
}
