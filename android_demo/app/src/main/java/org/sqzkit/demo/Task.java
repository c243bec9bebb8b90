package org.sqzkit.demo;

import android.os.SystemClock;
import java.util.concurrent.CancellationException;

/** One piece of background work. Any thread may cancel it. */
final class Task {
    private volatile boolean cancelled;
    private volatile long lastProgress = SystemClock.uptimeMillis();
    private Runnable interrupt;

    /** Asks the work to stop; what it returns is then ignored. */
    void cancel() {
        cancelled = true;
    }

    boolean cancelled() {
        return cancelled;
    }

    /** Sets what ends the call that blocks the work at present. */
    void onCancel(Runnable action) {
        synchronized (this) {
            interrupt = action;
        }
        if (cancelled) {
            interrupt();
        }
    }

    /** Ends the call that blocks the work; may block itself. */
    synchronized void interrupt() {
        Runnable action = interrupt;
        interrupt = null;
        if (action != null) {
            action.run();
        }
    }

    /** Restarts the time limit; throws {@link CancellationException} after {@link #cancel}. */
    void progress() {
        if (cancelled) {
            throw new CancellationException();
        }
        lastProgress = SystemClock.uptimeMillis();
    }

    /** When the work last got further, in {@link SystemClock#uptimeMillis}. */
    long lastProgress() {
        return lastProgress;
    }
}
