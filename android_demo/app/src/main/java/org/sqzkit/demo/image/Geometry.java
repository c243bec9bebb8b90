package org.sqzkit.demo.image;

/**
 * Which part of a photograph the model sees, and at what size; docs/preprocessing.md is the rule.
 *
 * @param squash whether the whole photograph becomes exactly the resize size, whatever its aspect;
 *     otherwise it covers the resize size, keeping its aspect
 * @param resizeWidth, resizeHeight pixels before the central crop
 * @param cropWidth, cropHeight pixels of the model's input
 */
public record Geometry(
        boolean squash, int resizeWidth, int resizeHeight, int cropWidth, int cropHeight) {

    /** Photographs longer than this many times their short side are cut, centrally, first. */
    static final int MAX_ASPECT = 16;

    /** What the preprocessing record calls {@code shorter_side}, without a crop margin. */
    public static Geometry covering(int width, int height) {
        return new Geometry(false, width, height, width, height);
    }

    /** The width and height to which a photograph is resized, halves rounded up. */
    public int[] target(int width, int height) {
        if (squash) {
            return new int[] {resizeWidth, resizeHeight};
        }
        if ((long) width * resizeHeight <= (long) height * resizeWidth) {
            return new int[] {resizeWidth, scaled(height, resizeWidth, width)};
        }
        return new int[] {scaled(width, resizeHeight, height), resizeHeight};
    }

    private static int scaled(int length, int to, int from) {
        return (int) ((2L * length * to + from) / (2L * from));
    }
}
