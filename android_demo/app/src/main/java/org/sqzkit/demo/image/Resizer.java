package org.sqzkit.demo.image;

import java.util.Arrays;

/**
 * Makes a photo the model's input picture: resizes it, then crops it to the center.
 *
 * <p>Bit for bit the rule of docs/preprocessing.md: rows first, then columns, eight bits between
 * them. Only what the crop keeps is computed. A resizer keeps its weights and buffers for the next
 * picture of the same size.
 */
public final class Resizer {
    private static final int HALF = 1 << (ResizeWeights.PRECISION - 1);

    private final Geometry geometry;
    private final int[] sums;
    private final int[] line;
    private final byte[] out;
    private int width;
    private int height;
    private ResizeWeights across;
    private ResizeWeights down;
    private int[] rows;
    private int[] row;
    private int[] column = {};
    private int[][][] columns;

    /** Resizes pictures of any size as {@code geometry} says. */
    public Resizer(Geometry geometry) {
        this.geometry = geometry;
        sums = new int[geometry.cropWidth() * 3];
        line = new int[sums.length];
        out = new byte[geometry.cropWidth() * 3 * geometry.cropHeight()];
    }

    /**
     * Returns {@code cropHeight * cropWidth * 3} bytes, RGB, row after row; the next call overwrites
     * them.
     */
    public byte[] resizeAndCrop(Pixels photo) {
        Pixels image = withoutExtremeAspect(photo);
        prepare(image.width(), image.height());
        if (image instanceof FrameConverter) {
            resizeRows((FrameConverter) image);
        } else {
            resizeRows(image);
        }
        resizeColumns();
        return out;
    }

    /** The bytes that the last call returned. */
    public byte[] last() {
        return out;
    }

    private void prepare(int imageWidth, int imageHeight) {
        if (imageWidth == width && imageHeight == height) {
            return;
        }
        width = imageWidth;
        height = imageHeight;
        int[] target = geometry.target(width, height);
        across = weights(width, target[0], geometry.cropWidth());
        down = weights(height, target[1], geometry.cropHeight());
        rows = new int[(down.end(geometry.cropHeight() - 1) - down.first[0]) * sums.length];
        row = new int[width];
        columns = new int[across.longest()][][];
    }

    private static ResizeWeights weights(int length, int target, int crop) {
        return new ResizeWeights(length, target, (target - crop) / 2, crop);
    }

    /**
     * Returns the part of a picture that is read: left, top, right, bottom; and how many columns have to
     * be kept for each output column, whole pairs.
     */
    public static int[] source(int width, int height, Geometry geometry) {
        int[] target = geometry.target(width, height);
        ResizeWeights across = weights(width, target[0], geometry.cropWidth());
        ResizeWeights down = weights(height, target[1], geometry.cropHeight());
        return new int[] {across.first[0], down.first[0],
            across.end(geometry.cropWidth() - 1), down.end(geometry.cropHeight() - 1),
            across.longest() / 2 * 2 + 4};
    }

    private void resizeRows(Pixels image) {
        int count = geometry.cropWidth();
        int top = down.first[0];
        int bottom = down.end(geometry.cropHeight() - 1);
        int at = 0;
        for (int y = top; y < bottom; y++) {
            image.read(y, row);
            for (int x = 0; x < count; x++, at += 3) {
                long redAndBlue = (long) HALF << 32 | HALF; // two sums below 2^31 in one multiplication
                int green = HALF;
                int from = across.first[x];
                for (int weight : across.weights[x]) {
                    int pixel = row[from++];
                    redAndBlue += weight * ((pixel & 0xff0000L) << 16 | pixel & 0xff);
                    green += weight * (pixel >> 8 & 255);
                }
                rows[at] = clip((int) (redAndBlue >> 32));
                rows[at + 1] = clip(green);
                rows[at + 2] = clip((int) redAndBlue);
            }
        }
    }

    /** The same for a camera frame: both pixels of all pairs at once, one output column after another. */
    private void resizeRows(FrameConverter frame) {
        int top = frame.row(down.first[0]);
        int step = frame.row(down.first[0] + 1) - top; // 1, or -1 where the sensor stands on its head
        int count = rows.length / sums.length;
        for (int x = 0; x < geometry.cropWidth(); x++) {
            int[] weights = across.weights[x];
            for (int i = 0; i < weights.length; i++) {
                columns[i] = frame.column(across.first[x] + i);
            }
            if (column.length != columns[0][0].length) {
                column = new int[columns[0][0].length];
            }
            for (int part = 0; part < 6; part++) {
                Arrays.fill(column, HALF);
                for (int i = 0; i < weights.length; i++) {
                    add(weights[i], columns[i][part], column);
                }
                // The first row of this half, counted from the top of the upright part.
                int y = (top + part % 2) % 2;
                for (int at = y * sums.length + 3 * x + part / 2; y < count; y += 2, at += 2 * sums.length) {
                    rows[at] = clip(column[(top + step * y) / 2]);
                }
            }
        }
    }

    /** Adds weighted values to sums; a loop that virtual machines vectorize. */
    private static void add(int weight, int[] values, int[] sums) {
        for (int i = 0; i < sums.length; i++) {
            sums[i] += weight * values[i];
        }
    }

    private void resizeColumns() {
        int stride = sums.length;
        for (int y = 0; y < geometry.cropHeight(); y++) {
            Arrays.fill(sums, HALF);
            int from = (down.first[y] - down.first[0]) * stride;
            for (int weight : down.weights[y]) {
                // The copy lets virtual machines vectorize the sums: they do so from an array's start only.
                System.arraycopy(rows, from, line, 0, stride);
                add(weight, line, sums);
                from += stride;
            }
            for (int x = 0; x < stride; x++) {
                out[y * stride + x] = (byte) clip(sums[x]);
            }
        }
    }

    private static int clip(int sum) {
        return Math.min(sum >> ResizeWeights.PRECISION, 255);
    }

    private static Pixels withoutExtremeAspect(Pixels image) {
        int longest = Geometry.MAX_ASPECT * Math.min(image.width(), image.height());
        int width = Math.min(image.width(), longest);
        int height = Math.min(image.height(), longest);
        if (width == image.width() && height == image.height()) {
            return image;
        }
        return new Window(image, (image.width() - width) / 2, (image.height() - height) / 2, width, height);
    }

    /** A part of a picture. */
    private static final class Window implements Pixels {
        private final Pixels whole;
        private final int left;
        private final int top;
        private final int width;
        private final int height;
        private final int[] buffer;

        Window(Pixels whole, int left, int top, int width, int height) {
            this.whole = whole;
            this.left = left;
            this.top = top;
            this.width = width;
            this.height = height;
            buffer = new int[whole.width()];
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
            whole.read(top + y, buffer);
            System.arraycopy(buffer, left, row, 0, width);
        }
    }
}
