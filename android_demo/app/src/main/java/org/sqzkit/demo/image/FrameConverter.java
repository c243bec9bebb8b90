package org.sqzkit.demo.image;

import java.nio.Buffer;
import java.nio.ByteBuffer;

/**
 * Converts camera frames in YUV 4:2:0 (BT.601, full range, as Android's cameras give them) to
 * upright RGB pixels.
 *
 * <p>Only the pixels that a model needs are converted, and nothing is allocated as long as the
 * frames keep their size. The converter is the picture: the next frame replaces it. Each channel is
 * stored by itself, column after column: {@link Resizer} then works on many rows in one instruction.
 */
public final class FrameConverter implements Pixels {
    private static final int OFFSET = 256;
    /** The values -256..511 brought to 0..255; branches would be mispredicted. */
    private static final int[] CLIPPED = new int[3 * OFFSET];

    static {
        for (int i = 0; i < CLIPPED.length; i++) {
            CLIPPED[i] = Math.max(0, Math.min(i - OFFSET, 255));
        }
    }

    private final Geometry geometry;
    private final int[][] planes = new int[3][];
    private byte[] luma = new byte[0];
    private byte[] blues = new byte[0];
    private byte[] reds = new byte[0];
    private int width;
    private int height;
    /** What the model needs of the upright picture: left, top, right, bottom. */
    private int[] needed = new int[4];
    /** The same in the sensor's orientation. */
    private final int[] part = new int[4];

    /** Converts for a model that sees the part of a picture that {@code geometry} says. */
    public FrameConverter(Geometry geometry) {
        this.geometry = geometry;
    }

    /** One of the three planes of a frame. */
    public record Plane(ByteBuffer bytes, int rowStride, int pixelStride) {
        /** Reads the values of a row from {@code from} on, one for every {@code pixelStride} bytes. */
        void read(int row, int from, int count, byte[] into) {
            // As a Buffer: the ByteBuffer that this returns since Java 9 is not there before Android 9.
            ((Buffer) bytes).position(row * rowStride + from * pixelStride);
            // The last row may end with its last value instead of a whole step.
            bytes.get(into, 0, Math.min((count - 1) * pixelStride + 1, bytes.remaining()));
        }
    }

    /**
     * Converts a frame.
     *
     * @param y, u, v the planes; u and v at half the width and height
     * @param frameWidth, frameHeight pixels in the sensor's orientation
     * @param turn degrees clockwise to upright: 0, 90, 180 or 270
     */
    public Pixels upright(Plane y, Plane u, Plane v, int frameWidth, int frameHeight, int turn) {
        prepare(frameWidth, frameHeight, turn, u.pixelStride());
        findPart(frameWidth, frameHeight, turn);
        int first = part[0] & ~1; // values of two pixels share one of each color
        int count = part[2] - first;
        for (int row = part[1]; row < part[3]; row++) {
            y.read(row, first, count, luma);
            u.read(row / 2, first / 2, (count + 1) / 2, blues);
            v.read(row / 2, first / 2, (count + 1) / 2, reds);
            convertRow(row, first, count, frameWidth, frameHeight, turn, u.pixelStride());
        }
        return this;
    }

    private void prepare(int frameWidth, int frameHeight, int turn, int stride) {
        boolean lying = turn % 180 != 0;
        int uprightWidth = lying ? frameHeight : frameWidth;
        int uprightHeight = lying ? frameWidth : frameHeight;
        if (uprightWidth != width || uprightHeight != height) {
            width = uprightWidth;
            height = uprightHeight;
            for (int channel = 0; channel < planes.length; channel++) {
                planes[channel] = new int[width * height];
            }
            needed = Resizer.source(width, height, geometry);
        }
        int longest = Math.max(width, height) * stride + 2;
        if (luma.length < longest) {
            luma = new byte[longest];
            blues = new byte[longest];
            reds = new byte[longest];
        }
    }

    private void findPart(int frameWidth, int frameHeight, int turn) {
        switch (turn) {
            case 90:
                setPart(needed[1], frameHeight - needed[2], needed[3], frameHeight - needed[0]);
                break;
            case 180:
                setPart(frameWidth - needed[2], frameHeight - needed[3],
                        frameWidth - needed[0], frameHeight - needed[1]);
                break;
            case 270:
                setPart(frameWidth - needed[3], needed[0], frameWidth - needed[1], needed[2]);
                break;
            default:
                setPart(needed[0], needed[1], needed[2], needed[3]);
        }
    }

    private void setPart(int left, int top, int right, int bottom) {
        part[0] = left;
        part[1] = top;
        part[2] = right;
        part[3] = bottom;
    }

    /** JFIF's conversion in 16-bit fixed point, into the row or column where the pixels belong. */
    private void convertRow(int row, int first, int count, int frameWidth, int frameHeight, int turn,
            int stride) {
        int at = target(first, row, frameWidth, frameHeight, turn);
        int step = turn == 0 ? height : turn == 90 ? 1 : turn == 180 ? -height : -1;
        int[] red = planes[0];
        int[] green = planes[1];
        int[] blue = planes[2];
        for (int x = 0; x < count; x += 2) {
            int u = (blues[x / 2 * stride] & 255) - 128;
            int v = (reds[x / 2 * stride] & 255) - 128;
            int toRed = OFFSET + (91881 * v + 0x8000 >> 16);
            int toGreen = OFFSET + (0x8000 - 22554 * u - 46802 * v >> 16);
            int toBlue = OFFSET + (116130 * u + 0x8000 >> 16);
            int y = luma[x] & 255;
            red[at] = CLIPPED[y + toRed];
            green[at] = CLIPPED[y + toGreen];
            blue[at] = CLIPPED[y + toBlue];
            at += step;
            if (x + 1 < count) { // written twice: as a loop it takes a third longer
                y = luma[x + 1] & 255;
                red[at] = CLIPPED[y + toRed];
                green[at] = CLIPPED[y + toGreen];
                blue[at] = CLIPPED[y + toBlue];
                at += step;
            }
        }
    }

    private int target(int x, int y, int frameWidth, int frameHeight, int turn) {
        switch (turn) {
            case 90:
                return (frameHeight - 1 - y) * height + x;
            case 180:
                return (frameWidth - 1 - x) * height + frameHeight - 1 - y;
            case 270:
                return y * height + frameWidth - 1 - x;
            default:
                return x * height + y;
        }
    }

    /** Red, green or blue of all pixels, 0..255, column after column; valid where the model needs it. */
    int[] plane(int channel) {
        return planes[channel];
    }

    @Override
    public int width() {
        return width;
    }

    @Override
    public int height() {
        return height;
    }

    @Override
    public void read(int y, int[] row) {
        for (int x = 0, at = y; x < width; x++, at += height) {
            row[x] = 0xff000000 | planes[0][at] << 16 | planes[1][at] << 8 | planes[2][at];
        }
    }
}
