package org.sqzkit.demo.image;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.Test;

/** Camera frames: colors, turns and strides; only what is needed, and nothing allocated. */
public class FrameConverterTest {
    private static final int FRAMES = 200;
    /** Reads every pixel of a small frame. */
    private static final Geometry WHOLE = new Geometry(true, 8, 8, 8, 8);

    private static FrameConverter converter() {
        return new FrameConverter(WHOLE);
    }

    private static FrameConverter.Plane plane(int rowStride, int pixelStride, int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return new FrameConverter.Plane(ByteBuffer.wrap(bytes), rowStride, pixelStride);
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
            Pixels pixels = converter().upright(plane(2, 1, one[0], one[0], one[0], one[0]),
                    plane(1, 1, one[1]), plane(1, 1, one[2]), 2, 2, 0);
            assertEquals(Integer.toHexString(one[3]), Integer.toHexString(all(pixels)[3]));
        }
    }

    @Test
    public void turnsClockwise() {
        FrameConverter.Plane y = plane(4, 1, 1, 2, 3, 4, 5, 6, 7, 8);
        FrameConverter.Plane none = plane(2, 1, 128, 128);
        int[][] turned = {{1, 2, 3, 4, 5, 6, 7, 8}, {5, 1, 6, 2, 7, 3, 8, 4},
            {8, 7, 6, 5, 4, 3, 2, 1}, {4, 8, 3, 7, 2, 6, 1, 5}};
        for (int i = 0; i < 4; i++) {
            Pixels pixels = converter().upright(y, none, none, 4, 2, 90 * i);
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
        FrameConverter.Plane y = plane(6, 1, 10, 20, 30, 40, 0, 0, 50, 60, 70, 80, 0, 0);
        FrameConverter.Plane interleaved = plane(6, 2, 128, 0, 128, 0);
        int[] expected = {grey(10), grey(20), grey(30), grey(40), grey(50), grey(60), grey(70), grey(80)};
        assertArrayEquals(expected, all(converter().upright(y, interleaved, interleaved, 4, 2, 0)));
    }

    /** A frame as cameras give them: rows padded, both colors interleaved or each by itself. */
    private static final class Frame {
        final int width;
        final int height;
        final FrameConverter.Plane y;
        final FrameConverter.Plane u;
        final FrameConverter.Plane v;

        Frame(int width, int height, int padding, boolean interleaved) {
            this.width = width;
            this.height = height;
            Random random = new Random(width);
            int stride = width + padding;
            y = new FrameConverter.Plane(noise(random, stride * (height - 1) + width), stride, 1);
            int pairs = (width + 1) / 2;
            int rows = (height + 1) / 2;
            int step = interleaved ? 2 : 1;
            int colorStride = pairs * step + padding;
            // The last row ends with its last value: phones' buffers are not rounded up.
            ByteBuffer both = noise(random, colorStride * (rows - 1) + pairs * step);
            both.limit(both.limit() - (interleaved ? 1 : 0));
            u = new FrameConverter.Plane(both.slice(), colorStride, step);
            both.limit(both.capacity());
            both.position(interleaved ? 1 : 0);
            v = new FrameConverter.Plane(both.slice(), colorStride, step);
        }

        private static ByteBuffer noise(Random random, int count) {
            byte[] bytes = new byte[count];
            random.nextBytes(bytes);
            ByteBuffer direct = ByteBuffer.allocateDirect(count);
            direct.put(bytes).rewind();
            return direct;
        }

        /** The same by the definition, all of it, pixel by pixel. */
        Pixels plain(int turn) {
            boolean lying = turn % 180 != 0;
            int outWidth = lying ? height : width;
            int outHeight = lying ? width : height;
            int[] out = new int[width * height];
            for (int row = 0; row < height; row++) {
                for (int column = 0; column < width; column++) {
                    int x = turn == 0 ? column : turn == 90 ? height - 1 - row
                            : turn == 180 ? width - 1 - column : row;
                    int upright = turn == 0 ? row : turn == 90 ? column
                            : turn == 180 ? height - 1 - row : width - 1 - column;
                    out[upright * outWidth + x] = color(column, row);
                }
            }
            return new ArrayPixels(out, outWidth, outHeight);
        }

        private int color(int x, int row) {
            int base = (at(y, x, row) << 16) + 0x8000;
            int blue = at(u, x / 2, row / 2) - 128;
            int red = at(v, x / 2, row / 2) - 128;
            return 0xff000000 | clip(base + 91881 * red) << 16
                    | clip(base - 22554 * blue - 46802 * red) << 8 | clip(base + 116130 * blue);
        }

        private static int at(FrameConverter.Plane plane, int x, int row) {
            return plane.bytes.get(row * plane.rowStride + x * plane.pixelStride) & 255;
        }

        private static int clip(int value) {
            return Math.max(0, Math.min(value >> 16, 255));
        }

        Pixels upright(FrameConverter converter, int turn) {
            return converter.upright(y, u, v, width, height, turn);
        }
    }

    @Test
    public void givesTheModelTheSameSquareAsConvertingEverything() {
        int[][] sizes = {{640, 480}, {1280, 720}, {176, 144}, {35, 21}};
        Geometry[] geometries = {Geometry.covering(227, 227), new Geometry(false, 256, 256, 224, 224),
            new Geometry(true, 256, 256, 227, 227), Geometry.covering(64, 32)};
        for (int[] size : sizes) {
            for (int kind = 0; kind < 4; kind++) {
                Frame frame = new Frame(size[0], size[1], kind % 2 * 16, kind > 1);
                Geometry geometry = geometries[kind];
                FrameConverter converter = new FrameConverter(geometry);
                for (int turn = 0; turn < 360; turn += 90) {
                    assertArrayEquals(size[0] + "x" + size[1] + ", kind " + kind + ", turn " + turn,
                            new Resizer(geometry).resizeAndCrop(frame.plain(turn)),
                            new Resizer(geometry).resizeAndCrop(frame.upright(converter, turn)));
                }
            }
        }
    }

    @Test
    public void allocatesNothingForAFrameOfTheSameSize() {
        Geometry geometry = Geometry.covering(227, 227);
        Frame frame = new Frame(640, 480, 0, true);
        FrameConverter converter = new FrameConverter(geometry);
        Resizer resizer = new Resizer(geometry);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = 0;
        for (int i = 0; i < 2 * FRAMES; i++) {
            before = i == FRAMES ? threads.getCurrentThreadAllocatedBytes() : before;
            resizer.resizeAndCrop(frame.upright(converter, 90));
        }
        long bytes = (threads.getCurrentThreadAllocatedBytes() - before) / FRAMES;
        assertTrue(bytes + " bytes a frame", bytes < 100);
    }

    /** Not a test: -Dsqzkit.benchmark=true prints how much faster than converting everything it is. */
    @Test
    public void benchmark() {
        assumeTrue("needs -Dsqzkit.benchmark", Boolean.getBoolean("sqzkit.benchmark"));
        Geometry geometry = Geometry.covering(227, 227);
        for (int[] size : new int[][] {{640, 480}, {1280, 720}}) {
            for (int turn = 0; turn < 360; turn += 90) {
                Frame frame = new Frame(size[0], size[1], 0, true);
                FrameConverter converter = new FrameConverter(geometry);
                Resizer resizer = new Resizer(geometry);
                int angle = turn;
                double plain = milliseconds(
                        () -> new Resizer(geometry).resizeAndCrop(frame.plain(angle)));
                double now = milliseconds(
                        () -> resizer.resizeAndCrop(frame.upright(converter, angle)));
                System.out.printf("%dx%d, turned by %d: %.2f ms; everything: %.2f ms%n",
                        size[0], size[1], turn, now, plain);
            }
        }
    }

    private static double milliseconds(Runnable work) {
        long best = Long.MAX_VALUE;
        for (int i = 0; i < FRAMES; i++) {
            long start = System.nanoTime();
            work.run();
            best = Math.min(best, System.nanoTime() - start);
        }
        return best / 1e6;
    }
}
