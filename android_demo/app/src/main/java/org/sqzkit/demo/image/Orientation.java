package org.sqzkit.demo.image;

import android.graphics.Bitmap;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

/**
 * The EXIF orientation of a photograph: how it must be turned to stand upright.
 *
 * <p>The framework's own reader knows PNG and WebP only on new phones; this one reads JPEG's APP1,
 * PNG's eXIf and WebP's EXIF on all of them. Other formats (HEIC) turn when they are decoded.
 */
public final class Orientation {
    private static final int TAG = 0x0112;
    private static final int MAX_BYTES = 1 << 20;
    /** Rows turned at once. */
    private static final int BAND = 64;

    private Orientation() {}

    /** Returns 1..8; 1 where nothing, or nothing sensible, is stated. */
    public static int read(InputStream in) throws IOException {
        try {
            DataInputStream data = new DataInputStream(in);
            int start = data.readInt();
            byte[] block = null;
            if (start >>> 16 == 0xffd8) {
                block = jpegBlock(data, start & 0xffff);
            } else if (start == 0x89504e47) {
                block = pngBlock(data);
            } else if (start == 0x52494646) {
                block = webpBlock(data);
            }
            return block == null ? 1 : value(block);
        } catch (EOFException e) {
            return 1;
        }
    }

    private static byte[] jpegBlock(DataInputStream in, int first) throws IOException {
        for (int marker = first; ; marker = in.readUnsignedShort()) {
            if (marker < 0xff01 || marker == 0xffda || marker == 0xffd9) {
                return null;
            }
            if (marker == 0xffff || marker >= 0xffd0 && marker <= 0xffd7) {
                return null;
            }
            byte[] segment = bytes(in, in.readUnsignedShort() - 2);
            if (marker == 0xffe1 && segment.length > 6 && segment[0] == 'E' && segment[1] == 'x'
                    && segment[2] == 'i' && segment[3] == 'f' && segment[4] == 0) {
                return java.util.Arrays.copyOfRange(segment, 6, segment.length);
            }
        }
    }

    private static byte[] pngBlock(DataInputStream in) throws IOException {
        skip(in, 4);
        while (true) {
            long length = in.readInt() & 0xffffffffL;
            int type = in.readInt();
            if (type == 0x65584966) { // eXIf
                return bytes(in, length);
            }
            if (type == 0x49454e44) { // IEND
                return null;
            }
            skip(in, length + 4);
        }
    }

    private static byte[] webpBlock(DataInputStream in) throws IOException {
        skip(in, 4);
        if (in.readInt() != 0x57454250) {
            return null;
        }
        while (true) {
            int type = in.readInt();
            long length = Integer.reverseBytes(in.readInt()) & 0xffffffffL;
            if (type == 0x45584946) { // EXIF
                byte[] block = bytes(in, length);
                boolean prefixed = block.length > 6 && block[0] == 'E' && block[1] == 'x';
                return prefixed ? java.util.Arrays.copyOfRange(block, 6, block.length) : block;
            }
            skip(in, length + (length & 1));
        }
    }

    private static byte[] bytes(DataInputStream in, long length) throws IOException {
        if (length < 0 || length > MAX_BYTES) {
            throw new EOFException();
        }
        byte[] out = new byte[(int) length];
        in.readFully(out);
        return out;
    }

    private static void skip(DataInputStream in, long count) throws IOException {
        for (long left = count; left > 0; ) {
            long skipped = in.skip(left);
            if (skipped <= 0) {
                in.readByte();
                skipped = 1;
            }
            left -= skipped;
        }
    }

    /** Looks the tag up in the first directory of a TIFF block. */
    private static int value(byte[] block) {
        if (block.length < 8 || block[0] != block[1] || block[0] != 'I' && block[0] != 'M') {
            return 1;
        }
        boolean little = block[0] == 'I';
        long directory = number(block, 4, 4, little);
        if (directory + 2 > block.length) {
            return 1;
        }
        int at = (int) directory + 2;
        int count = (int) number(block, (int) directory, 2, little);
        for (int i = 0; i < count && at + 12 <= block.length; i++, at += 12) {
            if (number(block, at, 2, little) == TAG) {
                int type = (int) number(block, at + 2, 2, little);
                long value = number(block, at + 8, type == 4 ? 4 : 2, little);
                return value >= 1 && value <= 8 ? (int) value : 1;
            }
        }
        return 1;
    }

    private static long number(byte[] block, int at, int size, boolean little) {
        long value = 0;
        for (int i = 0; i < size; i++) {
            value = value << 8 | block[little ? at + size - 1 - i : at + i] & 255;
        }
        return value;
    }

    /**
     * Returns the opaque bitmap turned as {@code orientation} (1..8) asks; itself for 1.
     *
     * <p>Pixels are copied one by one, so that every Android version gives the same ones.
     */
    public static Bitmap upright(Bitmap bitmap, int orientation) {
        if (orientation <= 1 || orientation > 8) {
            return bitmap;
        }
        int width = bitmap.getWidth();
        int height = bitmap.getHeight();
        boolean lying = orientation >= 5;
        Bitmap out = Bitmap.createBitmap(
                lying ? height : width, lying ? width : height, Bitmap.Config.ARGB_8888);
        out.setHasAlpha(false);
        int[] from = new int[width * Math.min(BAND, height)];
        int[] to = new int[from.length];
        for (int top = 0; top < height; top += BAND) {
            int rows = Math.min(BAND, height - top);
            bitmap.getPixels(from, 0, width, 0, top, width, rows);
            turnBand(from, to, width, rows, orientation);
            int start = fromFarEnd(orientation) ? height - top - rows : top;
            if (lying) {
                out.setPixels(to, 0, rows, start, 0, rows, width);
            } else {
                out.setPixels(to, 0, width, 0, start, width, rows);
            }
        }
        return out;
    }

    /** Whether the first rows of the photograph end up at the bottom, or on the right. */
    private static boolean fromFarEnd(int orientation) {
        return orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    }

    /** Turns some rows by themselves. */
    private static void turnBand(int[] from, int[] to, int width, int rows, int orientation) {
        boolean mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
        int across = orientation >= 5 ? rows : 1;
        int down = orientation >= 5 ? 1 : width;
        for (int y = 0; y < rows; y++) {
            int row = (fromFarEnd(orientation) ? rows - 1 - y : y) * down;
            for (int x = 0; x < width; x++) {
                to[row + (mirrored ? width - 1 - x : x) * across] = from[y * width + x];
            }
        }
    }
}
