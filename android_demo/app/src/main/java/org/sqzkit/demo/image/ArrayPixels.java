package org.sqzkit.demo.image;

/** A picture in an array, 0xAARRGGBB. */
public final class ArrayPixels implements Pixels {
    private final int[] pixels;
    private final int width;
    private final int height;

    /** Wraps {@code pixels}, row after row; the array is not copied. */
    public ArrayPixels(int[] pixels, int width, int height) {
        this.pixels = pixels;
        this.width = width;
        this.height = height;
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
        System.arraycopy(pixels, y * width, row, 0, width);
    }
}
