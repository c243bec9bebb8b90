package org.sqzkit.demo.model;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.TreeMap;

/**
 * Writes FlatBuffers for the tests, whole or hostile: vectors may be shared by any number of tables.
 *
 * <p>Written from the end to the beginning, as every writer does: positions count from the end.
 */
final class FlatBuffers {
    private byte[] bytes = new byte[1 << 12];
    private int used;

    /** A table being written: its fields by slot. */
    static final class Table {
        private final TreeMap<Integer, Integer> references = new TreeMap<>();
        private final TreeMap<Integer, long[]> numbers = new TreeMap<>();

        Table reference(int slot, int position) {
            references.put(slot, position);
            return this;
        }

        /** Sets a number of {@code size} bytes. */
        Table number(int slot, int size, long value) {
            numbers.put(slot, new long[] {size, value});
            return this;
        }
    }

    private void reserve(int count) {
        if (used + count > bytes.length) {
            byte[] larger = new byte[Math.max(2 * bytes.length, used + count)];
            System.arraycopy(bytes, bytes.length - used, larger, larger.length - used, used);
            bytes = larger;
        }
    }

    private void put(long value, int size) {
        reserve(size);
        used += size;
        for (int i = 0; i < size; i++) {
            bytes[bytes.length - used + i] = (byte) (value >> 8 * i);
        }
    }

    private void align(int size, int before) {
        while ((used + before) % size != 0) {
            put(0, 1);
        }
    }

    int text(String value) {
        return content((value + "\0").getBytes(StandardCharsets.UTF_8), 1);
    }

    /** A vector of bytes; the last {@code hidden} do not count. */
    int content(byte[] value, int hidden) {
        align(4, value.length);
        reserve(value.length);
        used += value.length;
        System.arraycopy(value, 0, bytes, bytes.length - used, value.length);
        put(value.length - hidden, 4);
        return used;
    }

    int ints(int... values) {
        align(4, 4 * values.length);
        for (int i = values.length - 1; i >= 0; i--) {
            put(values[i], 4);
        }
        put(values.length, 4);
        return used;
    }

    int floats(float... values) {
        int[] bits = new int[values.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = Float.floatToIntBits(values[i]);
        }
        return ints(bits);
    }

    /** A vector of tables at {@code positions}, which may repeat. */
    int tables(int... positions) {
        align(4, 4 * positions.length);
        for (int i = positions.length - 1; i >= 0; i--) {
            put(used + 4 - positions[i], 4);
        }
        put(positions.length, 4);
        return used;
    }

    int table(Table table) {
        int slots = 1 + Math.max(table.references.isEmpty() ? -1 : table.references.lastKey(),
                table.numbers.isEmpty() ? -1 : table.numbers.lastKey());
        int[] at = new int[slots];
        align(8, 0);
        int start = used;
        table.numbers.forEach((slot, number) -> {
            align((int) number[0], (int) number[0]);
            put(number[1], (int) number[0]);
            at[slot] = used;
        });
        table.references.forEach((slot, position) -> {
            align(4, 4);
            put(used + 4 - position, 4);
            at[slot] = used;
        });
        align(4, 4);
        put(0, 4);
        int position = used;
        int size = position - start;
        for (int i = slots - 1; i >= 0; i--) {
            put(at[i] == 0 ? 0 : position - at[i], 2);
        }
        put(size, 2);
        put(4 + 2 * slots, 2);
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
                .putInt(bytes.length - position, used - position);
        return position;
    }

    /** The finished buffer. */
    byte[] finish(int root, String identifier) {
        align(8, 8);
        byte[] name = identifier.getBytes(StandardCharsets.ISO_8859_1);
        for (int i = 3; i >= 0; i--) {
            put(name[i], 1);
        }
        put(used + 4 - root, 4);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(bytes, bytes.length - used, used);
        return out.toByteArray();
    }
}
