package org.sqzkit.demo.phone;

import static org.junit.Assert.assertTrue;

import android.os.Looper;
import java.util.concurrent.TimeUnit;
import org.robolectric.Shadows;

/** Waits until all background work is done, without ever sleeping. */
public final class Idle {
    /** Work can lead to work on the other thread, and that again; not more often than this. */
    private static final int ROUNDS = 8;

    /** Work that takes longer hangs; a busy machine is slow, not hung. */
    private static final int TIMEOUT_MINUTES = 10;

    private Idle() {}

    /** Whether the background work that was started is done, after waiting for it. */
    public interface Background {
        /** Waits at most so long. */
        boolean await(long time, TimeUnit unit) throws Exception;
    }

    /** Lets background work and the main thread take turns until neither has anything left. */
    public static void await(Background work) throws Exception {
        for (int i = 0; i < ROUNDS; i++) {
            Shadows.shadowOf(Looper.getMainLooper()).idle();
            assertTrue("the background work hangs", work.await(TIMEOUT_MINUTES, TimeUnit.MINUTES));
        }
        Shadows.shadowOf(Looper.getMainLooper()).idle();
    }
}
