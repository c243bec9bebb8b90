package org.sqzkit.teach;

import static org.junit.Assert.assertTrue;

import org.junit.Test;

/** The bar of memory: bytes that are allocated, which no other work changes. */
public class MemoryTest {
    private static final long BAR = 20_000_000;

    @Test
    public void oneMorePhotographIsTaughtInTwentyMegabytes() throws HeadException {
        Head[] head = new Head[1];
        long before = TeachBenchmark.allocated(() -> head[0] = TeachBenchmark.head(5));
        short[] more = Golden.photographs(512, 1, 99)[0];
        long taught = TeachBenchmark.allocated(() -> {
            head[0].add("class 3", more);
            head[0].teach();
        });
        assertTrue(before + " + " + taught + " bytes", before + taught < BAR);
    }
}
