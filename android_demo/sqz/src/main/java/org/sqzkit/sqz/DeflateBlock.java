package org.sqzkit.sqz;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;

/** Writes a deflate stream (RFC 1951) block by block, with the codes that zlib gives a block. */
final class DeflateBlock {
    /** Literals and matches of a block. */
    private static final int MAX_SYMBOLS = (1 << 15) - 1;
    private static final int END = 256;
    private static final int LENGTHS = 29;
    private static final int DISTANCES = 30;
    private static final int LENGTH_CODES = 19;
    private static final int STORED = 0;
    private static final int FIXED = 1;
    private static final int DYNAMIC = 2;
    /** Codes of runs of code lengths, and their extra bits. */
    private static final int REPEAT = 16;
    private static final int FEW_ZEROS = 17;
    private static final int MANY_ZEROS = 18;
    private static final int[] RUN_BITS = new int[LENGTH_CODES];
    private static final int[] ORDER = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    private static final int[] LENGTH_BITS = new int[END + 1 + LENGTHS];
    private static final int[] LENGTH_BASE = new int[LENGTHS];
    private static final int[] DISTANCE_BITS = new int[DISTANCES];
    private static final int[] DISTANCE_BASE = new int[DISTANCES];
    private static final HuffmanCode FIXED_LITERALS;
    private static final HuffmanCode FIXED_DISTANCES;

    static {
        RUN_BITS[REPEAT] = 2;
        RUN_BITS[FEW_ZEROS] = 3;
        RUN_BITS[MANY_ZEROS] = 7;
        for (int k = 0, base = 3; k < LENGTHS - 1; k++) {
            LENGTH_BASE[k] = base;
            LENGTH_BITS[END + 1 + k] = Math.max(k / 4 - 1, 0);
            base += 1 << LENGTH_BITS[END + 1 + k];
        }
        LENGTH_BASE[LENGTHS - 1] = 258;
        for (int k = 0, base = 1; k < DISTANCES; k++) {
            DISTANCE_BASE[k] = base;
            DISTANCE_BITS[k] = Math.max(k / 2 - 1, 0);
            base += 1 << DISTANCE_BITS[k];
        }
        int[] lengths = new int[288];
        Arrays.fill(lengths, 8);
        Arrays.fill(lengths, 144, 256, 9);
        Arrays.fill(lengths, 256, 280, 7);
        FIXED_LITERALS = new HuffmanCode(lengths);
        lengths = new int[DISTANCES];
        Arrays.fill(lengths, 5);
        FIXED_DISTANCES = new HuffmanCode(lengths);
    }

    private final byte[] content;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private long bits;
    private int bitCount;
    /** A distance and behind it a length; or 0 and a literal. */
    private final int[] symbols = new int[MAX_SYMBOLS];
    private int count;
    private final int[] literals = new int[LENGTH_BITS.length];
    private final int[] distances = new int[DISTANCES];

    DeflateBlock(byte[] content) {
        this.content = content;
    }

    boolean isEmpty() {
        return count == 0;
    }

    /** Returns whether the block is full. */
    boolean addLiteral(byte value) {
        literals[value & 255]++;
        symbols[count++] = value & 255;
        return count == MAX_SYMBOLS;
    }

    /** Returns whether the block is full. */
    boolean addMatch(int length, int distance) {
        literals[END + 1 + code(LENGTH_BASE, length)]++;
        distances[code(DISTANCE_BASE, distance)]++;
        symbols[count++] = distance << 9 | length;
        return count == MAX_SYMBOLS;
    }

    private static int code(int[] bases, int value) {
        int place = Arrays.binarySearch(bases, value);
        return place < 0 ? ~place - 1 : place;
    }

    /**
     * Writes what was added in the way that takes the fewest bytes.
     *
     * @param start where the block's bytes begin in the content; it has size of them
     * @param storable whether they may be stored
     */
    void flush(int start, int size, boolean storable, boolean last) {
        literals[END] = 1;
        HuffmanCode own = new HuffmanCode(literals, 15);
        HuffmanCode ownDistances = new HuffmanCode(distances, 15);
        int[] frequencies = new int[LENGTH_CODES];
        int[] runs = runs(own, frequencies, new int[0]);
        runs = runs(ownDistances, frequencies, runs);
        HuffmanCode lengthCode = new HuffmanCode(frequencies, 7);
        int kept = LENGTH_CODES;
        while (kept > 4 && lengthCode.lengths[ORDER[kept - 1]] == 0) {
            kept--;
        }
        long dynamic = own.cost(literals, LENGTH_BITS) + ownDistances.cost(distances, DISTANCE_BITS)
                + lengthCode.cost(frequencies, RUN_BITS) + 3 * kept + 14;
        long fixed = FIXED_LITERALS.cost(literals, LENGTH_BITS)
                + FIXED_DISTANCES.cost(distances, DISTANCE_BITS);
        boolean isFixed = bytes(fixed) <= bytes(dynamic);
        if (storable && size + 4 <= bytes(Math.min(fixed, dynamic))) {
            writeStored(start, size, last);
        } else if (isFixed) {
            writeHeader(FIXED, last);
            writeSymbols(FIXED_LITERALS, FIXED_DISTANCES);
        } else {
            writeHeader(DYNAMIC, last);
            write(own.count - END - 1, 5);
            write(ownDistances.count - 1, 5);
            write(kept - 4, 4);
            for (int k = 0; k < kept; k++) {
                write(lengthCode.lengths[ORDER[k]], 3);
            }
            for (int run : runs) {
                write(lengthCode, run & 255, run >> 8, RUN_BITS);
            }
            writeSymbols(own, ownDistances);
        }
        Arrays.fill(literals, 0);
        Arrays.fill(distances, 0);
        count = 0;
    }

    private static long bytes(long bits) {
        return (bits + 3 + 7) >> 3;
    }

    /** Returns former runs and those of a code's lengths: a code, and behind it its extra bits. */
    private static int[] runs(HuffmanCode code, int[] frequencies, int[] former) {
        int[] found = Arrays.copyOf(former, former.length + code.count);
        int size = former.length;
        int before = -1;
        for (int from = 0, end; from < code.count; from = end) {
            int length = code.lengths[from];
            int most = length == 0 ? 138 : length == before ? 6 : 7;
            end = from + 1;
            while (end < code.count && end - from < most && code.lengths[end] == length) {
                end++;
            }
            int times = end - from;
            boolean fresh = length != 0 && length != before;
            if (times < (fresh ? 4 : 3)) {
                Arrays.fill(found, size, size += times, length);
            } else if (length != 0) {
                if (fresh) {
                    found[size++] = length;
                    times--;
                }
                found[size++] = REPEAT | (times - 3) << 8;
            } else {
                found[size++] = times > 10 ? MANY_ZEROS | (times - 11) << 8
                        : FEW_ZEROS | (times - 3) << 8;
            }
            before = length;
        }
        for (int k = former.length; k < size; k++) {
            frequencies[found[k] & 255]++;
        }
        return Arrays.copyOf(found, size);
    }

    /** Writes size bytes of the content as they are. */
    void writeStored(int start, int size, boolean last) {
        writeHeader(STORED, last);
        align();
        write(size, 16);
        write(~size & 0xFFFF, 16);
        align();
        out.write(content, start, size);
    }

    private void writeHeader(int kind, boolean last) {
        write(kind << 1 | (last ? 1 : 0), 3);
    }

    private void writeSymbols(HuffmanCode own, HuffmanCode ownDistances) {
        for (int k = 0; k < count; k++) {
            int value = symbols[k] & 511;
            int distance = symbols[k] >> 9;
            if (distance == 0) {
                write(own, value, 0, LENGTH_BITS);
                continue;
            }
            int code = code(LENGTH_BASE, value);
            write(own, END + 1 + code, value - LENGTH_BASE[code], LENGTH_BITS);
            code = code(DISTANCE_BASE, distance);
            write(ownDistances, code, distance - DISTANCE_BASE[code], DISTANCE_BITS);
        }
        write(own, END, 0, LENGTH_BITS);
    }

    private void write(HuffmanCode code, int symbol, int extra, int[] extraBits) {
        write(code.codes[symbol], code.lengths[symbol]);
        write(extra, extraBits[symbol]);
    }

    private void write(int value, int width) {
        bits |= (long) value << bitCount;
        bitCount += width;
        while (bitCount >= 8) {
            out.write((int) bits);
            bits >>>= 8;
            bitCount -= 8;
        }
    }

    private void align() {
        write(0, -bitCount & 7);
    }

    byte[] finish() {
        align();
        return out.toByteArray();
    }
}
