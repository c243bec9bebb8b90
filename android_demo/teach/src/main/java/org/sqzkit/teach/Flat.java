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
 * Public for programs that read other fields of models than this library does.
 */
public class Flat {
    final ByteBuffer bytes;

    private long budget;

    /** Reads what begins where the buffer stands. */
    public Flat(ByteBuffer content) {
        bytes = content.slice().order(ByteOrder.LITTLE_ENDIAN);
        budget = bytes.limit();
    }

    /** Whether a file has these four ASCII letters at its byte 4: its kind. */
    public static boolean isOfKind(ByteBuffer content, String letters) {
        int kind = 0;
        for (int i = 3; i >= 0; i--) {
            kind = kind << 8 | letters.charAt(i);
        }
        ByteBuffer bytes = content.slice().order(ByteOrder.LITTLE_ENDIAN);
        return bytes.limit() >= 12 && bytes.getInt(4) == kind;
    }

    public int root() {
        return bytes.getInt(0);
    }

    /** Returns a text; empty if it is absent. */
    public String text(int table, int slot) {
        int vector = target(table, slot);
        int length = count(vector, 1);
        spend(length);
        return StandardCharsets.UTF_8.decode(range(vector + 4, length)).toString();
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
    public int target(int table, int slot) {
        int field = field(table, slot);
        return field == 0 ? 0 : field + bytes.getInt(field);
    }

    /** Returns the items of a vector, which must fit into the file; 0 if it is absent. */
    int count(int vector, int item) {
        int count = vector == 0 ? 0 : bytes.getInt(vector);
        require(count >= 0 && vector + 4L + (long) count * item <= bytes.limit());
        return count;
    }

    /** Returns the positions of a vector's tables; none if it is absent. */
    public int[] tables(int table, int slot) {
        int vector = target(table, slot);
        int[] found = ints(table, slot);
        for (int i = 0; i < found.length; i++) {
            found[i] += vector + 4 + 4 * i;
        }
        return found;
    }

    int[] ints(int table, int slot) {
        int vector = target(table, slot);
        int[] found = new int[entries(vector)];
        for (int i = 0; i < found.length; i++) {
            found[i] = bytes.getInt(vector + 4 + 4 * i);
        }
        return found;
    }

    /** Returns the items of a vector of float32; none if it is absent. */
    public float[] floats(int table, int slot) {
        int vector = target(table, slot);
        float[] found = new float[entries(vector)];
        for (int i = 0; i < found.length; i++) {
            found[i] = bytes.getFloat(vector + 4 + 4 * i);
        }
        return found;
    }

    /** Returns the items of four bytes of a vector that are all read. */
    private int entries(int vector) {
        int count = count(vector, 4);
        spend(4L * count + 4);
        return count;
    }

    private void spend(long read) {
        budget -= read;
        require(budget >= 0);
    }

    /** Returns a number of 1 or 4 bytes; 0 if it is absent. */
    public int number(int table, int slot, int size) {
        int field = field(table, slot);
        return field == 0 ? 0 : size == 1 ? bytes.get(field) : bytes.getInt(field);
    }

    static void require(boolean condition) {
        if (!condition) {
            throw new IndexOutOfBoundsException();
        }
    }
}
