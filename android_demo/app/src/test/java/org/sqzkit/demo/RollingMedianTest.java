package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;

import org.junit.Test;

public class RollingMedianTest {
    private static RollingMedian of(int window, long... values) {
        RollingMedian median = new RollingMedian(window);
        for (long value : values) {
            median.add(value);
        }
        return median;
    }

    @Test
    public void isTheMiddleOne() {
        assertEquals(0, of(3).median());
        assertEquals(7, of(3, 7).median());
        assertEquals(5, of(3, 9, 1, 5).median());
        assertEquals(4, of(4, 1, 3, 5, 9).median());
    }

    @Test
    public void forgetsWhatLeftTheWindow() {
        RollingMedian median = of(3, 100, 100, 100, 1, 2, 3);
        assertEquals(2, median.median());
        assertEquals(3, median.size());
    }

    @Test
    public void framesPerSecondOverTheLastFrames() {
        FrameRate rate = new FrameRate(4);
        assertEquals(0, rate.perSecond(), 0);
        rate.frame(0);
        assertEquals(0, rate.perSecond(), 0);
        rate.frame(500_000_000L);
        assertEquals(2, rate.perSecond(), 1e-9);
        for (int i = 1; i <= 4; i++) {
            rate.frame(500_000_000L + i * 100_000_000L);
        }
        assertEquals(10, rate.perSecond(), 1e-9);
    }
}
