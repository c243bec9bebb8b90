package org.sqzkit.demo.image;

/** An upright, opaque picture that can be read row by row. */
public interface Pixels {
    /** Pixels in a row, at least 1. */
    int width();

    /** Rows, at least 1. */
    int height();

    /** Writes row {@code y} into {@code row}, one 0xAARRGGBB for each pixel; alpha is ignored. */
    void read(int y, int[] row);
}
