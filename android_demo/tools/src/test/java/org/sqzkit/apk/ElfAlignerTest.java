package org.sqzkit.apk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.junit.Test;

/** A library of three segments, laid out as TensorFlow Lite's is. */
public class ElfAlignerTest {
    private static final int LOAD = 1;
    private static final int RELRO = 0x6474e552;
    private static final int HEADERS = 64;
    private static final int TABLES = 0x8000;
    private static final int DATA = 0x9100;
    private static final int DATA_ADDRESS = 0xa100;
    private static final int SECTIONS = 0x9400;

    private static byte[] library(int tables) {
        return library(tables, 0);
    }

    private static byte[] library(int tables, int behind) {
        ByteBuffer elf = ByteBuffer.allocate(SECTIONS + 64 + behind).order(ByteOrder.LITTLE_ENDIAN);
        elf.putInt(0, 0x464c457f).put(4, (byte) 2).put(5, (byte) 1);
        elf.putLong(32, HEADERS).putLong(40, SECTIONS).putShort(56, (short) 4).putShort(60, (short) 1);
        segment(elf, 0, LOAD, 0, 0, 0x7f00, 0x7f00);
        segment(elf, 1, LOAD, tables, tables, 0x1100, 0x1100);
        segment(elf, 2, LOAD, DATA, DATA_ADDRESS, 0x200, 0x600);
        segment(elf, 3, RELRO, tables, tables, 0x1100, 0x2000);
        elf.putLong(SECTIONS + 24, DATA + 16);
        for (int i = 0; i < 0x200; i++) {
            elf.put(DATA + i, (byte) (i * 7));
        }
        return elf.array();
    }

    private static void segment(ByteBuffer elf, int index, int type, long offset, long address,
            long fileSize, long memorySize) {
        int at = HEADERS + 56 * index;
        elf.putInt(at, type).putLong(at + 8, offset).putLong(at + 16, address).putLong(at + 24, address);
        elf.putLong(at + 32, fileSize).putLong(at + 40, memorySize).putLong(at + 48, 0x1000);
    }

    @Test
    public void everySegmentCanThenBeMappedWithLargePages() {
        byte[] before = library(TABLES);
        assertTrue(ElfAligner.is64Bit(before));
        assertFalse(ElfAligner.isAligned(before));
        assertTrue(ElfAligner.isAligned(ElfAligner.align(before)));
    }

    @Test
    public void everyAddressKeepsItsBytes() {
        byte[] before = library(TABLES);
        ByteBuffer after = ByteBuffer.wrap(ElfAligner.align(before)).order(ByteOrder.LITTLE_ENDIAN);
        assertArrayEquals(Arrays.copyOfRange(before, DATA, DATA + 0x200),
                Arrays.copyOfRange(after.array(), DATA_ADDRESS, DATA_ADDRESS + 0x200));
        int second = HEADERS + 56;
        assertEquals(TABLES, after.getLong(second + 8));
        assertEquals(DATA_ADDRESS + 0x200 - TABLES, after.getLong(second + 32));
        assertEquals(DATA_ADDRESS + 0x600 - TABLES, after.getLong(second + 40));
        assertEquals("the third is gone", 0, after.getInt(second + 56));
        assertEquals("RELRO covers whole pages only", 0, after.getLong(second + 2 * 56 + 40) % ElfAligner.PAGE);
        long sections = after.getLong(40);
        assertEquals("in the gap before the data", DATA + SECTIONS - DATA - 0x200, sections);
        assertEquals(DATA_ADDRESS + 16, after.getLong((int) sections + 24));
        assertEquals("nothing is behind the data", DATA_ADDRESS + 0x200, after.capacity());
    }

    @Test
    public void whatDoesNotFitIntoTheGapStaysBehindTheData() {
        byte[] before = library(TABLES, 0x1000);
        before[before.length - 1] = 7;
        ByteBuffer after = ByteBuffer.wrap(ElfAligner.align(before)).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(before.length + 0x1000, after.capacity());
        assertEquals(7, after.get(after.capacity() - 1));
        assertEquals(SECTIONS + 0x1000, after.getLong(40));
        assertEquals(DATA_ADDRESS + 16, after.getLong(SECTIONS + 0x1000 + 24));
        assertTrue(ElfAligner.isAligned(after.array()));
    }

    @Test
    public void aLayoutThatDoesNotAllowItIsLeftAlone() {
        assertNull(ElfAligner.align(library(0x7000)));
    }

    @Test
    public void otherFilesAreNoSuchLibraries() {
        assertFalse(ElfAligner.is64Bit(new byte[100]));
        byte[] narrow = library(TABLES);
        narrow[4] = 1;
        assertFalse(ElfAligner.is64Bit(narrow));
    }
}
