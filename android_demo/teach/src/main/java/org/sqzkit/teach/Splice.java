package org.sqzkit.teach;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * Vectors of a FlatBuffers file with other numbers of items, while every other byte stays.
 *
 * <p>What lies behind a longer or shorter vector moves by a multiple of 16 bytes, so that all
 * alignments stay, and the offsets that cross it are written again. docs/teaching.md of sqzkit states
 * the rule.
 */
final class Splice {
    private static final int ALIGNMENT = 16;
    /**
     * Which fields of which tables are offsets: of a vector of numbers or a text (v), of a table
     * ({...}), of a vector of tables ([...]); files that have others (!) are refused. The options of
     * an operator (o) are a table of which two kinds have a vector.
     */
    private static final Fields MODEL = Fields.parse("1[1v]2[0[0v3v4{0v1v2v3v5!}6!7v9!]1v2v"
            + "3[1v2v4o5v7v8v11!12!]4v]3v4[0v1!2!]5v6[0v]7[0[0v]1[0v]2v]");
    private static final Fields METADATA = Fields.parse("0v1v2v3[0v1v"
            + "2[0v1v2!3{1{1{}}2!}4[1{0v1v}]5{0v1v}6[0v1v3v4v]]"
            + "3[0v1v2!3{1{1{}}2!}4[1{0v1v}]5{0v1v}6[0v1v3v4v]]4!5!6!7!8!9!]4v5v6[0v1v3v4v]7v");
    private static final Fields SHAPED = Fields.parse("0v");
    private static final Fields PLAIN = Fields.parse("");
    /** ReshapeOptions, SqueezeOptions: a vector is their first field. */
    private static final int RESHAPE = 17;
    private static final int SQUEEZE = 30;

    private final ByteBuffer bytes;
    /** By position: what an offset points to; and of tables, where their vtable is. */
    private final Map<Integer, Integer> offsets = new HashMap<>();
    private final Map<Integer, Integer> tables = new HashMap<>();
    private final TreeMap<Integer, Vector> vectors;
    private int budget;

    /** The offsets among the fields of one kind of table. */
    private static final class Fields {
        final TreeMap<Integer, Fields> inside = new TreeMap<>();
        final TreeMap<Integer, Character> kinds = new TreeMap<>();

        static Fields parse(String text) {
            Fields found = new Fields();
            found.parse(text, 0);
            return found;
        }

        /** Reads up to the closing bracket; returns the position after it. */
        private int parse(String text, int from) {
            int at = from;
            while (at < text.length() && text.charAt(at) != ']' && text.charAt(at) != '}') {
                int end = at;
                while (Character.isDigit(text.charAt(end))) {
                    end++;
                }
                int number = Integer.parseInt(text.substring(at, end));
                char kind = text.charAt(end);
                kinds.put(number, kind);
                at = end + 1;
                if (kind == '[' || kind == '{') {
                    Fields fields = new Fields();
                    at = fields.parse(text, at);
                    inside.put(number, fields);
                }
            }
            return at + 1;
        }
    }

    /** New items of a vector, by the position of their number. */
    static final class Vector {
        final int item;
        final byte[] content;

        Vector(int item, byte[] content) {
            this.item = item;
            this.content = content;
        }
    }

    private Splice(byte[] content, TreeMap<Integer, Vector> vectors) {
        bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
        budget = content.length;
        this.vectors = vectors;
    }

    /** Returns a model, without files behind it, with new items in some vectors. */
    static byte[] model(byte[] content, TreeMap<Integer, Vector> vectors) throws HeadException {
        return new Splice(content, vectors).changed(MODEL);
    }

    /** Returns a buffer of TFLite metadata with new items in some vectors. */
    static byte[] metadata(byte[] content, TreeMap<Integer, Vector> vectors) throws HeadException {
        return new Splice(content, vectors).changed(METADATA);
    }

    private byte[] changed(Fields root) throws HeadException {
        visit(follow(0), root);
        TreeMap<Integer, Integer> moves = new TreeMap<>();
        moves.put(Integer.MIN_VALUE, 0);
        int moved = 0;
        for (Map.Entry<Integer, Vector> one : vectors.entrySet()) {
            int end = end(one.getKey(), one.getValue().item);
            int more = one.getValue().content.length - (end - one.getKey() - 4);
            moved += more + Math.floorMod(-more, ALIGNMENT);
            moves.put(end, moved);
        }
        ByteBuffer out = ByteBuffer.allocate(bytes.limit() + moved).order(ByteOrder.LITTLE_ENDIAN);
        copy(out);
        for (Map.Entry<Integer, Integer> one : offsets.entrySet()) {
            int at = moved(moves, one.getKey());
            out.putInt(at, moved(moves, one.getValue()) - at);
        }
        for (Map.Entry<Integer, Integer> one : tables.entrySet()) {
            int at = moved(moves, one.getKey());
            out.putInt(at, at - moved(moves, one.getValue()));
        }
        return out.array();
    }

    private int end(int position, int item) {
        return position + 4 + item * bytes.getInt(position);
    }

    private static int moved(TreeMap<Integer, Integer> moves, int position) {
        return position + moves.floorEntry(position).getValue();
    }

    /** Copies everything, the new vectors in their places. */
    private void copy(ByteBuffer out) {
        int at = 0;
        for (Map.Entry<Integer, Vector> one : vectors.entrySet()) {
            byte[] content = one.getValue().content;
            int end = end(one.getKey(), one.getValue().item);
            int more = content.length - (end - one.getKey() - 4);
            out.put(bytes.array(), at, one.getKey() - at);
            out.putInt(content.length / one.getValue().item).put(content);
            out.put(new byte[Math.floorMod(-more, ALIGNMENT)]);
            at = end;
        }
        out.put(bytes.array(), at, bytes.limit() - at);
    }

    private int follow(int position) {
        offsets.put(position, position + bytes.getInt(position));
        return offsets.get(position);
    }

    private void visit(int table, Fields fields) throws HeadException {
        int vtable = table - bytes.getInt(table);
        tables.put(table, vtable);
        budget--;
        if (budget < 0) {
            throw new IndexOutOfBoundsException();
        }
        for (Map.Entry<Integer, Character> one : fields.kinds.entrySet()) {
            int field = field(vtable, one.getKey());
            if (field == 0) {
                continue;
            }
            if (one.getValue() == '!') {
                throw HeadException.unfit("its file has parts of which sqzkit does not know");
            }
            int target = follow(table + field);
            if (one.getValue() == 'o') {
                int type = field(vtable, 3);
                int options = type == 0 ? 0 : bytes.get(table + type);
                visit(target, options == RESHAPE || options == SQUEEZE ? SHAPED : PLAIN);
            } else if (one.getValue() == '{') {
                visit(target, fields.inside.get(one.getKey()));
            } else if (one.getValue() == '[') {
                for (int i = bytes.getInt(target); i > 0; i--) {
                    visit(follow(target + 4 * i), fields.inside.get(one.getKey()));
                }
            }
        }
    }

    private int field(int vtable, int number) {
        boolean inside = 6 + 2 * number <= (bytes.getShort(vtable) & 0xffff);
        return inside ? bytes.getShort(vtable + 4 + 2 * number) & 0xffff : 0;
    }
}
