package org.sqzkit.apk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Makes a 32-bit shared library shorter: what the file has behind its data (section headers and their
 * names) moves between two segments, if it fits. Segments begin at multiples of a page, so TensorFlow Lite's
 * has 3,056 unused bytes there. No address changes; {@link ElfAligner} does the same for 64-bit libraries.
 */
final class ElfPacker {
    private static final int PT_LOAD = 1;
    private static final int PROGRAM_HEADER = 32;
    private static final int SECTION_HEADER = 40;
    /** More than any part behind the data asks for. */
    private static final int ALIGNMENT = 16;

    private ElfPacker() {}

    /** Whether {@code elf} is a little-endian 32-bit ELF file. */
    static boolean is32Bit(byte[] elf) {
        return elf.length > 52 && elf[0] == 0x7f && elf[1] == 'E' && elf[4] == 1 && elf[5] == 1;
    }

    /** Returns a shorter copy, or the library itself if no space between its segments is large enough. */
    static byte[] pack(byte[] elf) {
        ByteBuffer in = ByteBuffer.wrap(elf).order(ByteOrder.LITTLE_ENDIAN);
        int[] starts = new int[in.getShort(44) + 1];
        int[] ends = new int[starts.length];
        int loads = 0;
        for (int i = 0, at = in.getInt(28); i < in.getShort(44); i++, at += PROGRAM_HEADER) {
            if (in.getInt(at) == PT_LOAD) {
                starts[loads] = in.getInt(at + 4);
                ends[loads++] = in.getInt(at + 4) + in.getInt(at + 16);
            }
        }
        int end = loads == 0 ? elf.length : ends[loads - 1];
        for (int i = 0; i + 1 < loads; i++) {
            int hole = ends[i] + Math.floorMod(end - ends[i], ALIGNMENT);
            if (hole + elf.length - end <= starts[i + 1] && in.getInt(32) >= end
                    && isUnused(in, ends[i], starts[i + 1])) {
                return moved(elf, end, hole);
            }
        }
        return elf;
    }

    /** Whether no section begins between two places. */
    private static boolean isUnused(ByteBuffer file, int from, int to) {
        for (int i = 0; i < file.getShort(48); i++) {
            int offset = file.getInt(file.getInt(32) + SECTION_HEADER * i + 16);
            if (offset >= from && offset < to) {
                return false;
            }
        }
        return true;
    }

    private static byte[] moved(byte[] elf, int end, int hole) {
        byte[] out = Arrays.copyOf(elf, end);
        System.arraycopy(elf, end, out, hole, elf.length - end);
        ByteBuffer file = ByteBuffer.wrap(out).order(ByteOrder.LITTLE_ENDIAN);
        int sections = file.getInt(32) - end + hole;
        file.putInt(32, sections);
        for (int i = 0; i < file.getShort(48); i++) {
            int at = sections + SECTION_HEADER * i + 16;
            file.putInt(at, file.getInt(at) >= end ? file.getInt(at) - end + hole : file.getInt(at));
        }
        return out;
    }
}
