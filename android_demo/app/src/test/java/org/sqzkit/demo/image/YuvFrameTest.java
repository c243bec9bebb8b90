package org.sqzkit.demo.image;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;

import java.nio.ByteBuffer;
import org.junit.Test;

public class YuvFrameTest {
    private static YuvFrame.Plane plane(int rowStride, int pixelStride, int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return new YuvFrame.Plane(ByteBuffer.wrap(bytes), rowStride, pixelStride);
    }

    private static int[] all(Pixels pixels) {
        int[] out = new int[pixels.width() * pixels.height()];
        int[] row = new int[pixels.width()];
        for (int y = 0; y < pixels.height(); y++) {
            pixels.read(y, row);
            System.arraycopy(row, 0, out, y * row.length, row.length);
        }
        return out;
    }

    private static int grey(int value) {
        return 0xff000000 | value << 16 | value << 8 | value;
    }

    @Test
    public void convertsAsJpegDoes() {
        int[][] cases = {{76, 85, 255, 0xfffe0000}, {150, 44, 21, 0xff00ff01},
            {29, 255, 107, 0xff0000fe}, {255, 128, 128, 0xffffffff}, {0, 128, 128, 0xff000000}};
        for (int[] one : cases) {
            Pixels pixels = YuvFrame.upright(plane(2, 1, one[0], one[0], one[0], one[0]),
                    plane(1, 1, one[1]), plane(1, 1, one[2]), 2, 2, 0);
            assertEquals(Integer.toHexString(one[3]), Integer.toHexString(all(pixels)[3]));
        }
    }

    @Test
    public void turnsClockwise() {
        YuvFrame.Plane y = plane(4, 1, 1, 2, 3, 4, 5, 6, 7, 8);
        YuvFrame.Plane none = plane(2, 1, 128, 128);
        int[][] turned = {{1, 2, 3, 4, 5, 6, 7, 8}, {5, 1, 6, 2, 7, 3, 8, 4},
            {8, 7, 6, 5, 4, 3, 2, 1}, {4, 8, 3, 7, 2, 6, 1, 5}};
        for (int i = 0; i < 4; i++) {
            Pixels pixels = YuvFrame.upright(y, none, none, 4, 2, 90 * i);
            assertEquals(i % 2 == 0 ? 4 : 2, pixels.width());
            int[] expected = new int[8];
            for (int j = 0; j < 8; j++) {
                expected[j] = grey(turned[i][j]);
            }
            assertArrayEquals(expected, all(pixels));
        }
    }

    @Test
    public void followsTheStridesOfTheCamera() {
        YuvFrame.Plane y = plane(6, 1, 10, 20, 30, 40, 0, 0, 50, 60, 70, 80, 0, 0);
        YuvFrame.Plane interleaved = plane(6, 2, 128, 0, 128, 0);
        int[] expected = {grey(10), grey(20), grey(30), grey(40), grey(50), grey(60), grey(70), grey(80)};
        assertArrayEquals(expected, all(YuvFrame.upright(y, interleaved, interleaved, 4, 2, 0)));
    }
}
