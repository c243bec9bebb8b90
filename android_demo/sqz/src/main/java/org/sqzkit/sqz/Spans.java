package org.sqzkit.sqz;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds the constant tensors of a {@code .tflite} and their scales.
 *
 * <p>The file may be anybody's. Every offset is checked before it is followed, and tables, which may
 * share what they name, are visited no more often than the file has bytes: where that ends, or the file
 * is damaged, what was found before counts.
 */
final class Spans {
    private static final int IDENTIFIER = 'T' | 'F' << 8 | 'L' << 16 | '3' << 24;
    private static final int MAX_TENSORS = 32_768;
    private static final int MAX_SIDES = 16;
    /** Bytes of an element of each TensorType of the schema; 0 where they are not numbers. */
    private static final int[] WIDTHS = {4, 2, 4, 1, 8, 0, 1, 2, 0, 1, 8};
    private static final int FLOAT32 = 0;
    private static final int MAX_NAME = 256;
    /** Kinds of numbers: each type as a tensor's values and as scales. */
    static final int KINDS = 2 * WIDTHS.length;

    /** A run of numbers in a file. */
    static final class Span {
        final int offset;
        final int length;
        final int type;
        /** Whether these are the scales of a tensor. */
        final boolean scales;
        /** Sides of the tensor, outermost first. */
        final int[] shape;
        private final Table tensor;

        Span(Table tensor, long offset, long length, int type, boolean scales, int... shape) {
            this.tensor = tensor;
            this.offset = (int) offset;
            this.length = (int) length;
            this.type = type;
            this.scales = scales;
            this.shape = shape;
        }

        int end() {
            return offset + length;
        }

        /** The number of the kind of numbers that these are. */
        int kind() {
            return 2 * type + (scales ? 1 : 0);
        }

        /** Returns the tensor's name, a character for each byte; empty where it cannot be read. */
        String name(byte[] content) {
            try {
                int length = Math.min(tensor.count(3, 1), MAX_NAME);
                int start = length > 0 ? (int) tensor.target(3) + 4 : 0;
                return new String(content, start, length, StandardCharsets.ISO_8859_1);
            } catch (SqzException damaged) {
                return "";
            }
        }

        /** Bytes of an element. */
        int width() {
            return WIDTHS[type];
        }
    }

    private final byte[] content;
    private long budget;
    private final List<Span> found = new ArrayList<>();

    /** Returns what is found, by offset, none overlapping; nothing in a file of another kind. */
    static List<Span> find(byte[] content) {
        Spans spans = new Spans(content);
        try {
            spans.readModel();
        } catch (SqzException damaged) {
            // What was found before it remains.
        }
        spans.found.removeIf(span -> span.length == 0);
        spans.found.sort((a, b) -> a.offset != b.offset
                ? Integer.compare(a.offset, b.offset) : Integer.compare(b.length, a.length));
        List<Span> kept = new ArrayList<>();
        int end = 0;
        for (Span span : spans.found) {
            if (span.offset >= end) {
                kept.add(span);
                end = span.end();
            }
        }
        return kept;
    }

    private Spans(byte[] content) {
        this.content = content;
        budget = content.length;
    }

    private void readModel() throws SqzException {
        if (integer(4, 4) != (IDENTIFIER & 0xFFFFFFFFL)) {
            return;
        }
        Table model = new Table(integer(0, 4));
        Table[] buffers = model.tables(4);
        int left = MAX_TENSORS;
        for (Table subgraph : model.tables(2)) {
            for (Table tensor : subgraph.tables(0)) {
                if (left-- == 0) {
                    return;
                }
                readTensor(tensor, buffers);
            }
        }
    }

    private void readTensor(Table tensor, Table[] buffers) throws SqzException {
        long quantization = tensor.target(4);
        if (quantization >= 0) {
            Table table = new Table(quantization);
            int count = table.count(2, 4);
            if (count > 1) {
                found.add(new Span(tensor, table.target(2) + 4, 4L * count, FLOAT32, true, count));
            }
        }
        long number = tensor.number(2, 4);
        if (number < buffers.length) {
            readConstant(tensor, buffers[(int) number]);
        }
    }

    private void readConstant(Table tensor, Table buffer) throws SqzException {
        long start = buffer.number(1, 8);
        long length = buffer.number(2, 8);
        if (start == 0 || start == 1) { // mean nothing in TFLite
            length = buffer.count(0, 1);
            start = buffer.target(0) + 4;
        } else if (start < 0 || length < 0 || start > content.length
                || length > content.length - start) {
            throw new SqzException("a buffer outside the file");
        }
        int type = (int) tensor.number(1, 1);
        int[] shape = new int[Math.min(tensor.count(0, 4), MAX_SIDES + 1)];
        for (int k = 0; k < shape.length; k++) {
            shape[k] = (int) integer(tensor.target(0) + 4 + 4 * k, 4);
        }
        if (type < WIDTHS.length && WIDTHS[type] > 0 && shape.length <= MAX_SIDES
                && product(shape, WIDTHS[type]) == length) {
            found.add(new Span(tensor, start, length, type, false, shape));
        }
    }

    /** Returns the product of the sides and the width, or a number larger than any file. */
    private static long product(int[] sides, int width) {
        long product = width;
        for (int side : sides) {
            product = side <= 0 ? 0 : Math.min(product, Integer.MAX_VALUE + 1L) * side;
        }
        return product;
    }

    /** Returns the little-endian number of up to eight bytes at a place. */
    private long integer(long at, int width) throws SqzException {
        if (at < 0 || at > content.length - width) {
            throw new SqzException("an offset outside the file");
        }
        long value = 0;
        for (int k = width - 1; k >= 0; k--) {
            value = value << 8 | content[(int) at + k] & 255;
        }
        return value;
    }

    /** A FlatBuffers table; fields are named by their number in the schema. */
    private final class Table {
        private final long position;
        private final long fields;
        private final long size;

        Table(long position) throws SqzException {
            this.position = position;
            budget -= 4;
            if (budget < 0) {
                throw new SqzException("tables that refer to each other too often");
            }
            fields = position - (int) integer(position, 4);
            size = integer(fields, 2);
        }

        /** Returns a number that is not negative, unless it has eight bytes; 0 if it is absent. */
        long number(int field, int width) throws SqzException {
            long place = place(field);
            return place < 0 ? 0 : integer(place, width);
        }

        /** Returns where the table or vector is that a field names, -1 if it is absent. */
        long target(int field) throws SqzException {
            long place = place(field);
            return place < 0 ? -1 : place + integer(place, 4);
        }

        /** Returns the items of a vector, which fit into the file; 0 if it is absent. */
        int count(int field, int width) throws SqzException {
            long vector = target(field);
            long count = vector < 0 ? 0 : integer(vector, 4);
            if (vector + 4 + count * width > content.length) {
                throw new SqzException("a list outside the file");
            }
            return (int) count;
        }

        Table[] tables(int field) throws SqzException {
            long vector = target(field);
            Table[] tables = new Table[count(field, 4)];
            for (int k = 0; k < tables.length; k++) {
                long place = vector + 4 + 4L * k;
                tables[k] = new Table(place + integer(place, 4));
            }
            return tables;
        }

        private long place(int field) throws SqzException {
            int entry = 4 + 2 * field;
            long offset = entry + 2 > size ? 0 : integer(fields + entry, 2);
            return offset == 0 ? -1 : position + offset;
        }
    }
}
