package org.sqzkit.demo.image;

/**
 * Makes a photograph the model's input picture: resize, then cut the centre.
 *
 * <p>Bit for bit the rule of docs/preprocessing.md: rows first, then columns, eight bits between
 * them. Only what the crop keeps is computed.
 */
public final class Squares {
    private static final int HALF = 1 << (Axis.PRECISION - 1);

    private Squares() {}

    /** Returns {@code cropHeight * cropWidth * 3} bytes, RGB, row after row. */
    public static byte[] cut(Pixels photograph, Geometry geometry) {
        Pixels image = withoutExtremeAspect(photograph);
        int[] target = geometry.target(image.width(), image.height());
        int width = geometry.cropWidth();
        int height = geometry.cropHeight();
        Axis across = new Axis(image.width(), target[0], (target[0] - width) / 2, width);
        Axis down = new Axis(image.height(), target[1], (target[1] - height) / 2, height);
        int top = down.first[0];
        byte[] rows = resizeRows(image, across, top, down.end(height - 1));
        return resizeColumns(rows, down, top, width);
    }

    private static byte[] resizeRows(Pixels image, Axis axis, int top, int bottom) {
        int count = axis.first.length;
        byte[] out = new byte[(bottom - top) * count * 3];
        int[] row = new int[image.width()];
        int at = 0;
        for (int y = top; y < bottom; y++) {
            image.read(y, row);
            for (int x = 0; x < count; x++, at += 3) {
                int red = HALF;
                int green = HALF;
                int blue = HALF;
                int from = axis.first[x];
                for (int weight : axis.weights[x]) {
                    int pixel = row[from++];
                    red += weight * (pixel >> 16 & 255);
                    green += weight * (pixel >> 8 & 255);
                    blue += weight * (pixel & 255);
                }
                out[at] = clip(red);
                out[at + 1] = clip(green);
                out[at + 2] = clip(blue);
            }
        }
        return out;
    }

    private static byte[] resizeColumns(byte[] rows, Axis axis, int top, int width) {
        int stride = width * 3;
        int count = axis.first.length;
        byte[] out = new byte[count * stride];
        int[] sums = new int[stride];
        for (int y = 0; y < count; y++) {
            java.util.Arrays.fill(sums, HALF);
            int from = (axis.first[y] - top) * stride;
            for (int weight : axis.weights[y]) {
                for (int x = 0; x < stride; x++) {
                    sums[x] += weight * (rows[from++] & 255);
                }
            }
            for (int x = 0; x < stride; x++) {
                out[y * stride + x] = clip(sums[x]);
            }
        }
        return out;
    }

    private static byte clip(int sum) {
        return (byte) Math.min(sum >> Axis.PRECISION, 255);
    }

    private static Pixels withoutExtremeAspect(Pixels image) {
        int longest = Geometry.LONGEST_ASPECT * Math.min(image.width(), image.height());
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
