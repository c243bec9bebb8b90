package org.sqzkit.apk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongUnaryOperator;

/**
 * Makes a 64-bit shared library loadable where memory pages are 16 KB.
 *
 * <p>TensorFlow Lite's last libraries on Maven Central are linked for 4 KB pages: code, then a
 * segment that becomes read-only after relocation, then data whose address is one page further
 * than its file offset. Where code ends in another 16 KB page than the second segment starts, the
 * two writable segments are joined into one whose file offsets equal its addresses. No address in
 * the library changes, so no instruction and no relocation does either. The joined segment has a
 * gap of one page; what the file has behind its data (section headers and their names) moves there
 * if it fits. What is given up: up to 16 KB at the end of the relocated tables stay writable.
 */
final class ElfAligner {
    static final int PAGE = 0x4000;

    private static final int PT_NULL = 0;
    private static final int PT_LOAD = 1;
    private static final int PT_GNU_RELRO = 0x6474e552;
    private static final int PROGRAM_HEADER = 56;
    private static final int SECTION_HEADER = 64;
    /** Of section headers in a file. */
    private static final int ALIGNMENT = 8;

    private ElfAligner() {}

    /** Whether every LOAD segment of a library can be mapped with 16 KB pages. */
    static boolean isAligned(byte[] elf) {
        ByteBuffer file = open(elf);
        int end = 0;
        for (int at : loads(file)) {
            long offset = file.getLong(at + 8);
            long address = file.getLong(at + 16);
            if (file.getLong(at + 48) % PAGE != 0 || (address - offset) % PAGE != 0
                    || address / PAGE < end) {
                return false;
            }
            end = (int) ((address + file.getLong(at + 40) + PAGE - 1) / PAGE);
        }
        return true;
    }

    /** Whether {@code elf} is a little-endian 64-bit ELF file (others never meet 16 KB pages). */
    static boolean is64Bit(byte[] elf) {
        return elf.length > 64 && elf[0] == 0x7f && elf[1] == 'E' && elf[4] == 2 && elf[5] == 1;
    }

    /** Returns an aligned copy, or null where the layout of the library does not allow it. */
    static byte[] align(byte[] elf) {
        ByteBuffer in = open(elf);
        List<Integer> loads = loads(in);
        if (loads.size() != 3) {
            return null;
        }
        Segment code = new Segment(in, loads.get(0));
        Segment tables = new Segment(in, loads.get(1));
        Segment data = new Segment(in, loads.get(2));
        int gap = (int) (data.address - data.offset);
        if (tables.offset % PAGE != 0 || tables.offset != tables.address || gap < 0
                || code.address + code.memorySize > tables.address) {
            return null;
        }
        int cut = (int) data.offset;
        int end = cut + (int) data.fileSize;
        int rest = elf.length - end;
        int fits = cut + (end - cut) % ALIGNMENT;
        int behind = fits + rest <= cut + gap ? fits : end + gap;
        byte[] out = new byte[Math.max(end + gap, behind + rest)];
        System.arraycopy(elf, 0, out, 0, cut);
        System.arraycopy(elf, cut, out, cut + gap, end - cut);
        System.arraycopy(elf, end, out, behind, rest);
        ByteBuffer file = open(out);
        moveSections(file, offset -> offset >= end ? offset - end + behind : offset >= cut ? offset + gap : offset);
        for (int i = 0, at = (int) file.getLong(32); i < file.getShort(56); i++, at += PROGRAM_HEADER) {
            rewriteSegment(file, at, new Segment(in, at), code, tables, data);
        }
        return out;
    }

    private static void moveSections(ByteBuffer file, LongUnaryOperator moved) {
        long sections = moved.applyAsLong(file.getLong(40));
        file.putLong(40, sections);
        for (int i = 0; i < file.getShort(60); i++) {
            int at = (int) sections + SECTION_HEADER * i + 24;
            file.putLong(at, moved.applyAsLong(file.getLong(at)));
        }
    }

    private static void rewriteSegment(
            ByteBuffer file, int at, Segment old, Segment code, Segment tables, Segment data) {
        if (old.at == code.at) {
            file.putLong(at + 48, PAGE);
        } else if (old.at == tables.at) {
            file.putLong(at + 32, data.address + data.fileSize - tables.offset);
            file.putLong(at + 40, data.address + data.memorySize - tables.address);
            file.putLong(at + 48, PAGE);
        } else if (old.at == data.at) {
            for (int i = 0; i < PROGRAM_HEADER; i += 8) {
                file.putLong(at + i, PT_NULL);
            }
        } else if (old.type == PT_GNU_RELRO) {
            long whole = old.memorySize / PAGE * PAGE;
            file.putLong(at + 32, whole);
            file.putLong(at + 40, whole);
        } else if (old.offset >= data.offset) {
            file.putLong(at + 8, old.offset + data.address - data.offset);
        }
    }

    private static ByteBuffer open(byte[] elf) {
        return ByteBuffer.wrap(elf).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Where the program headers of the LOAD segments are. */
    private static List<Integer> loads(ByteBuffer file) {
        List<Integer> found = new ArrayList<>();
        for (int i = 0, at = (int) file.getLong(32); i < file.getShort(56); i++, at += PROGRAM_HEADER) {
            if (file.getInt(at) == PT_LOAD) {
                found.add(at);
            }
        }
        return found;
    }

    /** One program header. */
    private static final class Segment {
        final int at;
        final int type;
        final long offset;
        final long address;
        final long fileSize;
        final long memorySize;

        Segment(ByteBuffer file, int at) {
            this.at = at;
            type = file.getInt(at);
            offset = file.getLong(at + 8);
            address = file.getLong(at + 16);
            fileSize = file.getLong(at + 32);
            memorySize = file.getLong(at + 40);
        }
    }
}
