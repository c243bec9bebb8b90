package org.sqzkit.apk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.junit.Test;

/** A 32-bit library of three segments, laid out as TensorFlow Lite's is. */
public class ElfPackerTest {
    private static final int HEADERS = 52;
    private static final int TABLES = 0x2000;
    private static final int DATA = 0x2800;
    private static final int END = 0x2a04;
    private static final int NAMES = 0x2a10;
    private static final int SECTIONS = 0x2a20;

    /** Between {@code code} and 0x2000 is what the linker fills up with. */
    private static byte[] library(int code) {
        ByteBuffer elf = ByteBuffer.allocate(SECTIONS + 3 * 40).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = HEADERS; i < elf.capacity(); i++) {
            elf.put(i, (byte) (i >= code && i < TABLES ? 0xd4 : i * 7));
        }
        elf.putInt(0, 0x464c457f).put(4, (byte) 1).put(5, (byte) 1);
        elf.putInt(28, HEADERS).putInt(32, SECTIONS).putShort(44, (short) 3).putShort(48, (short) 3);
        segment(elf, 0, 0, 0, code);
        segment(elf, 1, TABLES, TABLES, DATA - TABLES);
        segment(elf, 2, DATA, DATA + 0x1000, END - DATA);
        elf.putInt(SECTIONS + 16, 0);
        elf.putInt(SECTIONS + 40 + 16, DATA);
        elf.putInt(SECTIONS + 80 + 16, NAMES);
        return elf.array();
    }

    private static void segment(ByteBuffer elf, int index, int offset, int address, int size) {
        int at = HEADERS + 32 * index;
        elf.putInt(at, 1).putInt(at + 4, offset).putInt(at + 8, address).putInt(at + 16, size);
    }

    @Test
    public void whatIsBehindTheDataMovesBetweenTheSegments() {
        byte[] before = library(0x1d00);
        assertTrue(ElfPacker.is32Bit(before));
        ByteBuffer after = ByteBuffer.wrap(ElfPacker.pack(before)).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals("nothing is behind the data", END, after.capacity());
        int moved = after.getInt(32) - SECTIONS;
        assertTrue(after.getInt(32) + " is free and aligned as before",
                SECTIONS + moved >= 0x1d00 && SECTIONS + moved + 120 <= TABLES && moved % 16 == 0);
        assertEquals(0, after.getInt(SECTIONS + moved + 16));
        assertEquals(DATA, after.getInt(SECTIONS + moved + 40 + 16));
        assertEquals(NAMES + moved, after.getInt(SECTIONS + moved + 80 + 16));
        assertEquals(before[NAMES], after.get(NAMES + moved));
    }

    /** Only the place of the section headers differs in what a phone loads. */
    @Test
    public void everySegmentKeepsItsBytes() {
        byte[] before = library(0x1d00);
        byte[] after = ElfPacker.pack(before);
        Arrays.fill(before, 32, 36, (byte) 0);
        Arrays.fill(after, 32, 36, (byte) 0);
        for (int[] segment : new int[][] {{0, 0x1d00}, {TABLES, END}}) {
            assertArrayEquals(Arrays.copyOfRange(before, segment[0], segment[1]),
                    Arrays.copyOfRange(after, segment[0], segment[1]));
        }
    }

    @Test
    public void aLibraryWithoutSpaceStaysAsItIs() {
        byte[] full = library(0x1fc0);
        assertSame(full, ElfPacker.pack(full));
        byte[] used = library(0x1d00);
        ByteBuffer.wrap(used).order(ByteOrder.LITTLE_ENDIAN).putInt(SECTIONS + 40 + 16, 0x1e00);
        assertSame("a section is there", used, ElfPacker.pack(used));
    }

    @Test
    public void otherFilesAreNoSuchLibraries() {
        assertFalse(ElfPacker.is32Bit(new byte[100]));
        byte[] wide = library(0x1d00);
        wide[4] = 2;
        assertFalse(ElfPacker.is32Bit(wide));
    }
}
