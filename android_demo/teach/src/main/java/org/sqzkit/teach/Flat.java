package org.sqzkit.teach;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * A FlatBuffers file that anybody may have made; its tables and vectors are named by position.
 *
 * <p>ByteBuffer checks every position: damage is an IndexOutOfBoundsException. Tables may share
 * vectors, so a small file can describe a huge one: what is read of it is bounded by its own size.
 */
class Flat {
    final ByteBuffer bytes;

    private long budget;

    Flat(ByteBuffer content) {
        bytes = content.slice().order(ByteOrder.LITTLE_ENDIAN);
        budget = bytes.limit();
    }

    int root() {
        return bytes.getInt(0);
    }

    /** Returns a text; empty if it is absent. */
    String text(int table, int slot) {
        int vector = target(table, slot);
        ByteBuffer text = range(vector + 4, count(vector, 1));
        return StandardCharsets.UTF_8.decode(text).toString();
    }

    /** Returns bytes of the file as they are. */
    ByteBuffer range(int from, int length) {
        require(from >= 0 && length >= 0 && from <= bytes.limit() - length);
        // As a Buffer: what these return since Java 9 is not there before Android 9.
        Buffer view = bytes.duplicate();
        view.limit(from + length);
        view.position(from);
        return (ByteBuffer) view;
    }

    /** Returns where a table's field is, or 0 if it is absent. */
    int field(int table, int slot) {
        int vtable = table - bytes.getInt(table);
        int entry = 4 + 2 * slot;
        if (entry + 2 > (bytes.getShort(vtable) & 0xffff)) {
            return 0;
        }
        int offset = bytes.getShort(vtable + entry) & 0xffff;
        return offset == 0 ? 0 : table + offset;
    }

    /** Returns the position of a table or vector that a field names, or 0 if it is absent. */
    int target(int table, int slot) {
        int field = field(table, slot);
        return field == 0 ? 0 : field + bytes.getInt(field);
    }

    /** Returns the items of a vector, which must fit into the file; 0 if it is absent. */
    int count(int vector, int item) {
        int count = vector == 0 ? 0 : bytes.getInt(vector);
        require(count >= 0 && vector + 4L + (long) count * item <= bytes.limit());
        return count;
    }

    int[] tables(int table, int slot) {
        int vector = target(table, slot);
        int[] found = ints(table, slot);
        for (int i = 0; i < found.length; i++) {
            found[i] += vector + 4 + 4 * i;
        }
        return found;
    }

    int[] ints(int table, int slot) {
        int vector = target(table, slot);
        int[] found = new int[count(vector, 4)];
        budget -= 4L * found.length + 4;
        require(budget >= 0);
        for (int i = 0; i < found.length; i++) {
            found[i] = bytes.getInt(vector + 4 + 4 * i);
        }
        return found;
    }

    /** Returns a number of 1 or 4 bytes; 0 if it is absent. */
    int number(int table, int slot, int size) {
        int field = field(table, slot);
        return field == 0 ? 0 : size == 1 ? bytes.get(field) : bytes.getInt(field);
    }

    static void require(boolean condition) {
        if (!condition) {
            throw new IndexOutOfBoundsException();
        }
    }
}
