package org.sqzkit.demo.model;

import static org.junit.Assert.assertEquals;

import org.junit.Test;

/** Percentiles by the nearest rank. */
public class BenchmarkTest {
    @Test
    public void percentiles() {
        long[] values = {5, 1, 4, 2, 3, 10, 9, 8, 7, 6};
        assertEquals(5, Benchmark.percentile(values, 50));
        assertEquals(9, Benchmark.percentile(values, 90));
        assertEquals(10, Benchmark.percentile(values, 100));
        assertEquals("the values stay in order", 5, values[0]);
        assertEquals(7, Benchmark.percentile(new long[] {7}, 50));
    }
}
