package org.sqzkit.demo;

import static org.junit.Assert.assertArrayEquals;

import org.junit.Test;

/** The mean of the live view's last frames. */
public class FrameMeanTest {
    @Test
    public void theMeanIsOfTheLastFramesOnly() {
        FrameMean mean = new FrameMean();
        assertArrayEquals(new float[] {1, 0}, mean.add(new float[] {1, 0}), 1e-6f);
        assertArrayEquals(new float[] {0.5f, 0.5f}, mean.add(new float[] {0, 1}), 1e-6f);
        for (int i = 0; i < FrameMean.FRAMES; i++) {
            mean.add(new float[] {0.2f, 0.8f});
        }
        assertArrayEquals(new float[] {0.2f, 0.8f}, mean.add(new float[] {0.2f, 0.8f}), 1e-6f);
        mean.clear();
        assertArrayEquals(new float[] {0, 1}, mean.add(new float[] {0, 1}), 1e-6f);
    }
}
