package org.sqzkit.demo.phone;

import static org.junit.Assert.assertTrue;

import android.os.Looper;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import org.robolectric.Shadows;

/** Waits until all that was begun is done, without ever sleeping. */
public final class Settled {
    /** Work can lead to work on the other thread, and that again; not more often than this. */
    private static final int ROUNDS = 6;

    /** Work that takes longer hangs; a busy machine is slow, not hung. */
    private static final int MOST_MINUTES = 10;

    private Settled() {}

    /** Lets the working thread and the main thread take turns until neither has anything left. */
    public static void wait(ExecutorService work) throws Exception {
        for (int i = 0; i < ROUNDS; i++) {
            Shadows.shadowOf(Looper.getMainLooper()).idle();
            if (!work.isShutdown()) {
                assertTrue(work.submit(() -> true).get(MOST_MINUTES, TimeUnit.MINUTES));
            }
        }
        Shadows.shadowOf(Looper.getMainLooper()).idle();
    }
}
