package org.sqzkit.demo.model;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;

/**
 * One table of a FlatBuffer from an untrusted file.
 *
 * <p>Every offset is checked before it is followed, and nothing is read as a vector that does not
 * fit into the file. Tables may share vectors, so a small file can describe a huge one: all tables
 * of a file together read at most {@link #MAX_ENTRIES} entries. Damage is an {@link AppError}.
 */
final class FlatBufferTable {
    /** Bounds time and memory; large classifiers have some ten thousand entries. */
    static final int MAX_ENTRIES = 1_000_000;

    private final ByteBuffer bytes;
    private final int[] left;
    private final int at;
    private final int slots;
    private final int fieldSlots;

    private FlatBufferTable(ByteBuffer bytes, int at, int[] left) throws AppError {
        this.bytes = bytes;
        this.at = at;
        this.left = left;
        slots = at - int32(at);
        fieldSlots = uint16(slots) / 2 - 2;
        check(slots, Math.max(uint16(slots), 4));
    }

    /** The root of a buffer whose identifier, at byte 4, must be {@code identifier}. */
    static FlatBufferTable root(ByteBuffer content, String identifier) throws AppError {
        ByteBuffer bytes = content.slice().order(ByteOrder.LITTLE_ENDIAN);
        if (!hasIdentifier(bytes, identifier)) {
            throw new AppError(R.string.error_not_a_model);
        }
        return new FlatBufferTable(bytes, bytes.getInt(0), new int[] {MAX_ENTRIES});
    }

    static boolean hasIdentifier(ByteBuffer bytes, String identifier) {
        byte[] expected = identifier.getBytes(StandardCharsets.ISO_8859_1);
        if (bytes.limit() < 12) {
            return false;
        }
        for (int i = 0; i < 4; i++) {
            if (bytes.get(4 + i) != expected[i]) {
                return false;
            }
        }
        return true;
    }

    /** A whole number of {@code size} 1, 2, 4 or 8 bytes; {@code otherwise} if the field is absent. */
    long number(int slot, int size, long otherwise) throws AppError {
        int field = field(slot, size);
        if (field == 0) {
            return otherwise;
        }
        switch (size) {
            case 1:
                return bytes.get(field);
            case 2:
                return bytes.getShort(field);
            case 4:
                return bytes.getInt(field);
            default:
                return bytes.getLong(field);
        }
    }

    /** A text; empty if absent. */
    String text(int slot) throws AppError {
        ByteBuffer content = content(slot);
        spend(content.remaining());
        return StandardCharsets.UTF_8.decode(content).toString();
    }

    /** A vector of bytes, as a view; empty if absent. */
    ByteBuffer content(int slot) throws AppError {
        int list = follow(slot);
        int count = list == 0 ? 0 : length(list, 1);
        ByteBuffer view = bytes.duplicate();
        int start = list == 0 ? 0 : list + 4;
        // As a Buffer: the ByteBuffer that these return since Java 9 is not there before Android 9.
        ((Buffer) view).limit(start + count);
        ((Buffer) view).position(start);
        return view.slice();
    }

    int[] ints(int slot) throws AppError {
        int list = follow(slot);
        int[] out = new int[entries(list, 4)];
        for (int i = 0; i < out.length; i++) {
            out[i] = bytes.getInt(list + 4 + 4 * i);
        }
        return out;
    }

    float[] floats(int slot) throws AppError {
        int list = follow(slot);
        float[] out = new float[entries(list, 4)];
        for (int i = 0; i < out.length; i++) {
            out[i] = bytes.getFloat(list + 4 + 4 * i);
        }
        return out;
    }

    long[] longs(int slot) throws AppError {
        int list = follow(slot);
        long[] out = new long[entries(list, 8)];
        for (int i = 0; i < out.length; i++) {
            out[i] = bytes.getLong(list + 4 + 8 * i);
        }
        return out;
    }

    /** A table; null if absent. */
    FlatBufferTable table(int slot) throws AppError {
        int target = follow(slot);
        return target == 0 ? null : new FlatBufferTable(bytes, target, left);
    }

    /** A vector of tables; empty if absent. */
    List<FlatBufferTable> tables(int slot) throws AppError {
        int list = follow(slot);
        int count = entries(list, 4);
        List<FlatBufferTable> out = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int entry = list + 4 + 4 * i;
            out.add(new FlatBufferTable(bytes, target(entry), left));
        }
        return out;
    }

    private int field(int slot, int size) throws AppError {
        if (slot >= fieldSlots) {
            return 0;
        }
        int offset = uint16(slots + 4 + 2 * slot);
        if (offset != 0) {
            check(at + offset, size);
        }
        return offset == 0 ? 0 : at + offset;
    }

    private int follow(int slot) throws AppError {
        int field = field(slot, 4);
        return field == 0 ? 0 : target(field);
    }

    private int target(int field) throws AppError {
        long target = field + (bytes.getInt(field) & 0xffffffffL);
        if (target + 4 > bytes.limit()) {
            throw damaged();
        }
        return (int) target;
    }

    private int length(int list, int size) throws AppError {
        long count = bytes.getInt(list) & 0xffffffffL;
        if (list + 4 + count * size > bytes.limit()) {
            throw damaged();
        }
        return (int) count;
    }

    /** The length of a vector whose entries are all read, 0 if it is absent. */
    private int entries(int list, int size) throws AppError {
        int count = list == 0 ? 0 : length(list, size);
        spend(count);
        return count;
    }

    private void spend(int count) throws AppError {
        left[0] -= count;
        if (left[0] < 0) {
            throw new AppError(R.string.error_model_too_complex);
        }
    }

    private int int32(int position) throws AppError {
        check(position, 4);
        return bytes.getInt(position);
    }

    private int uint16(int position) throws AppError {
        check(position, 2);
        return bytes.getShort(position) & 0xffff;
    }

    private void check(int position, int size) throws AppError {
        if (position < 0 || (long) position + size > bytes.limit()) {
            throw damaged();
        }
    }

    private static AppError damaged() {
        return new AppError(R.string.error_damaged_model);
    }
}
