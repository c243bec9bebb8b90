package org.sqzkit.demo.image;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Converts camera frames in YUV 4:2:0 (BT.601, full range, as Android's cameras give them) to
 * upright RGB pixels.
 *
 * <p>Only the pixels that a model needs are converted, column after column of the upright picture
 * and at the moment at which {@link Resizer} asks for them, and nothing is allocated as long as the
 * frames keep their size. The converter is the picture: the next frame replaces it.
 *
 * <p>Two pixels below each other share their color. So a column is two arrays: the first and the
 * second pixel of each pair. Virtual machines vectorize loops over whole arrays only.
 */
public final class FrameConverter implements Pixels {
    /** Rows of copied bytes begin an odd number of these apart, so that a column stays in the cache. */
    private static final int CACHE_LINE = 64;

    private final Geometry geometry;
    /** What red, green and blue differ from luma by, for the pairs of a column. */
    private final int[][] tints = new int[3][];
    private int[] first = {};
    private int[] second = {};
    private byte[] luma = {};
    private byte[] blues = {};
    private byte[] reds = {};
    private int width;
    private int height;
    private int turn;
    /** What the model needs of the upright picture: left, top, right, bottom; columns at once. */
    private int[] needed = new int[5];
    /** The same in the sensor's orientation, from even pixels on. */
    private int left;
    private int top;
    private int right;
    private int bottom;
    private int lumaStride;
    private int colorStride;
    private int pixelStride;
    /** The columns that were converted last: of each, both pixels of the pairs in each channel. */
    private int[][][] columns = {};
    /** Which pair of columns is at each place of {@link #columns}. */
    private int[] kept = {};

    /** Converts for a model that sees the part of a picture that {@code geometry} says. */
    public FrameConverter(Geometry geometry) {
        this.geometry = geometry;
    }

    /** One of the three planes of a frame. */
    public static final class Plane {
        final ByteBuffer bytes;
        final int rowStride;
        final int pixelStride;

        public Plane(ByteBuffer bytes, int rowStride, int pixelStride) {
            this.bytes = bytes;
            this.rowStride = rowStride;
            this.pixelStride = pixelStride;
        }

        /** Reads the values of a row from {@code from} on, one for every {@code pixelStride} bytes. */
        void read(int row, int from, int count, byte[] into, int at) {
            // As a Buffer: the ByteBuffer that this returns since Java 9 is not there before Android 9.
            ((Buffer) bytes).position(row * rowStride + from * pixelStride);
            // The last row may end with its last value instead of a whole step.
            bytes.get(into, at, Math.min((count - 1) * pixelStride + 1, bytes.remaining()));
        }
    }

    /**
     * Converts a frame.
     *
     * @param y, u, v the planes; u and v at half the width and height
     * @param frameWidth, frameHeight pixels in the sensor's orientation
     * @param degrees clockwise to upright: 0, 90, 180 or 270
     */
    public Pixels upright(Plane y, Plane u, Plane v, int frameWidth, int frameHeight, int degrees) {
        prepare(frameWidth, frameHeight, degrees);
        int across = (right - left + 1) / 2;
        int down = (bottom - top + 1) / 2;
        pixelStride = u.pixelStride;
        lumaStride = stride(2 * across);
        colorStride = stride(across * pixelStride);
        reserve(2 * down * lumaStride, down * colorStride, lying() ? across : down);
        for (int row = top; row < bottom; row++) {
            y.read(row, left, right - left, luma, (row - top) * lumaStride);
        }
        for (int row = 0; row < down; row++) {
            u.read(top / 2 + row, left / 2, across, blues, row * colorStride);
            v.read(top / 2 + row, left / 2, across, reds, row * colorStride);
        }
        Arrays.fill(kept, -1);
        return this;
    }

    private static int stride(int bytes) {
        return (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE | CACHE_LINE;
    }

    private void prepare(int frameWidth, int frameHeight, int degrees) {
        turn = degrees;
        int uprightWidth = lying() ? frameHeight : frameWidth;
        int uprightHeight = lying() ? frameWidth : frameHeight;
        if (uprightWidth != width || uprightHeight != height) {
            width = uprightWidth;
            height = uprightHeight;
            needed = Resizer.source(width, height, geometry);
        }
        boolean mirrored = turn == 90 || turn == 180; // the upright picture begins at the sensor's end
        int from = mirrored ? width - needed[2] : needed[0];
        int to = mirrored ? width - needed[0] : needed[2];
        boolean upsideDown = turn == 180 || turn == 270;
        int highest = upsideDown ? height - needed[3] : needed[1];
        int lowest = upsideDown ? height - needed[1] : needed[3];
        left = (lying() ? highest : from) & ~1; // pairs of pixels share one of each color
        right = lying() ? lowest : to;
        top = (lying() ? from : highest) & ~1;
        bottom = lying() ? to : lowest;
    }

    private boolean lying() {
        return turn % 180 != 0;
    }

    private void reserve(int lumas, int colors, int pairs) {
        if (luma.length < lumas || blues.length < colors || first.length != pairs
                || columns.length != needed[4]) {
            luma = new byte[lumas];
            blues = new byte[colors];
            reds = new byte[colors];
            first = new int[pairs];
            second = new int[pairs];
            for (int channel = 0; channel < tints.length; channel++) {
                tints[channel] = new int[pairs];
            }
            columns = new int[needed[4]][6][pairs];
            kept = new int[needed[4] / 2];
        }
    }

    /** Converts two columns that share their colors, in JFIF's 16-bit fixed point. */
    private void convert(int pair, int place) {
        int step = lying() ? pixelStride : colorStride;
        for (int i = 0, at = pair * (lying() ? colorStride : pixelStride); i < first.length; i++, at += step) {
            first[i] = (blues[at] & 255) - 128;
            second[i] = (reds[at] & 255) - 128;
        }
        tint(first, second, tints[0], tints[1], tints[2]);
        int next = lying() ? 1 : lumaStride;
        for (int half = 0; half < 2; half++) {
            int at = (2 * pair + half) * (lying() ? lumaStride : 1);
            for (int i = 0; i < first.length; i++, at += 2 * next) {
                first[i] = luma[at] & 255;
                second[i] = luma[at + next] & 255;
            }
            for (int channel = 0; channel < 3; channel++) {
                add(first, tints[channel], columns[place + half][2 * channel]);
                add(second, tints[channel], columns[place + half][2 * channel + 1]);
            }
        }
    }

    private static void tint(int[] blue, int[] red, int[] toRed, int[] toGreen, int[] toBlue) {
        for (int i = 0; i < toRed.length; i++) {
            toRed[i] = 91881 * red[i] + 0x8000 >> 16;
        }
        for (int i = 0; i < toGreen.length; i++) {
            toGreen[i] = 0x8000 - 22554 * blue[i] - 46802 * red[i] >> 16;
        }
        for (int i = 0; i < toBlue.length; i++) {
            toBlue[i] = 116130 * blue[i] + 0x8000 >> 16;
        }
    }

    /** Sums, brought to 0..255 without branches or {@link Math#min}: neither is vectorized. */
    private static void add(int[] luma, int[] tint, int[] into) {
        for (int i = 0; i < into.length; i++) {
            int sum = luma[i] + tint[i];
            int positive = sum & ~(sum >> 31);
            into[i] = (positive | 255 - positive >> 31) & 255;
        }
    }

    /**
     * Returns column {@code x} of the upright picture: red, green and blue, 0..255, of each the first
     * pixels of all pairs and then the second ones; valid until as many columns as the model needs
     * for one of its own were asked for.
     */
    int[][] column(int x) {
        int sensor = (turn == 90 || turn == 180 ? width - 1 - x : x) - (lying() ? top : left);
        int place = sensor / 2 % kept.length;
        if (kept[place] != sensor / 2) {
            convert(sensor / 2, 2 * place);
            kept[place] = sensor / 2;
        }
        return columns[2 * place + sensor % 2];
    }

    /** Returns where row {@code y} is in a column: twice the pair, and 1 for its second pixel. */
    int row(int y) {
        return (turn == 180 || turn == 270 ? height - 1 - y : y) - (lying() ? left : top);
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
        int at = row(y);
        for (int x = needed[0]; x < needed[2] && y >= needed[1] && y < needed[3]; x++) {
            int[][] column = column(x);
            row[x] = 0xff000000 | column[at % 2][at / 2] << 16
                    | column[2 + at % 2][at / 2] << 8 | column[4 + at % 2][at / 2];
        }
    }
}
