package org.sqzkit.demo.image;

import java.nio.ByteBuffer;

/** A camera frame in YUV 4:2:0 (BT.601, full range, as Android's cameras give it) turned upright. */
public final class YuvFrame {
    /** One of the three planes. */
    public record Plane(ByteBuffer bytes, int rowStride, int pixelStride) {
        int at(int x, int y) {
            return bytes.get(y * rowStride + x * pixelStride) & 255;
        }
    }

    private YuvFrame() {}

    /**
     * Converts a frame.
     *
     * @param y, u, v the planes; u and v at half the width and height
     * @param width, height pixels as the sensor lies
     * @param turn degrees clockwise to upright: 0, 90, 180 or 270
     */
    public static Pixels upright(Plane y, Plane u, Plane v, int width, int height, int turn) {
        boolean lying = turn == 90 || turn == 270;
        int outWidth = lying ? height : width;
        int[] out = new int[width * height];
        for (int row = 0; row < height; row++) {
            for (int column = 0; column < width; column++) {
                int color = rgb(y.at(column, row), u.at(column / 2, row / 2) - 128,
                        v.at(column / 2, row / 2) - 128);
                out[target(column, row, width, height, turn, outWidth)] = color;
            }
        }
        return new ArrayPixels(out, outWidth, lying ? width : height);
    }

    private static int target(int x, int y, int width, int height, int turn, int outWidth) {
        switch (turn) {
            case 90:
                return x * outWidth + height - 1 - y;
            case 180:
                return (height - 1 - y) * outWidth + width - 1 - x;
            case 270:
                return (width - 1 - x) * outWidth + y;
            default:
                return y * outWidth + x;
        }
    }

    /** JFIF's conversion in 16-bit fixed point. */
    private static int rgb(int y, int u, int v) {
        int base = (y << 16) + 0x8000;
        int red = clip((base + 91881 * v) >> 16);
        int green = clip((base - 22554 * u - 46802 * v) >> 16);
        int blue = clip((base + 116130 * u) >> 16);
        return 0xff000000 | red << 16 | green << 8 | blue;
    }

    private static int clip(int value) {
        return value < 0 ? 0 : Math.min(value, 255);
    }
}
