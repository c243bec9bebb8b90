package org.sqzkit.teach;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Map;

/** Reads and writes `.head` files; docs/teaching.md of sqzkit states the format. */
public final class HeadFile {
    private static final byte[] NAME = Head.utf8("SQZHEAD");
    /** Of the layout, and of the arithmetic that made strength, temperature and threshold. */
    private static final byte VERSION = '2';
    /** The same layout, chosen with one ridge for all features. */
    private static final byte FORMER = '1';
    private static final int START_BYTES = 66;
    private static final int NOT_CHOSEN = 255;
    private static final long MAX_FEATURE = Short.MAX_VALUE;

    private final ByteBuffer body;

    private HeadFile(ByteBuffer body) {
        this.body = body;
    }

    /** Returns the file of a head; equal heads give equal bytes. */
    public static byte[] write(Head head) {
        ByteBuffer out = ByteBuffer.allocate(length(head)).order(ByteOrder.LITTLE_ENDIAN);
        writeStart(head, out);
        for (String label : head.classes.keySet()) {
            byte[] name = Head.utf8(label);
            out.put((byte) name.length).put(name);
        }
        if (head.absent != null) {
            writeSums(head, out);
        }
        short number = 0;
        for (Photographs one : head.classes.values()) {
            for (short[] features : one.present) {
                out.putShort(number);
                for (short feature : features) {
                    out.putShort(feature);
                }
            }
            number++;
        }
        out.put(sha256(out.array(), out.position()));
        return out.array();
    }

    /**
     * Returns the head in a file's bytes. Nothing is allocated that the file is too short for. What
     * a file of version 1 chose is void: it was chosen by another rule.
     *
     * @throws HeadException NOT_A_HEAD, OTHER_VERSION or DAMAGED: nothing of it is used then
     */
    public static Head read(byte[] content) throws HeadException {
        byte version = version(content);
        int end = content.length - Head.DIGEST_BYTES;
        if (end < START_BYTES || !Arrays.equals(sha256(content, end),
                Arrays.copyOfRange(content, end, content.length))) {
            throw HeadException.damaged("its checksum does not fit");
        }
        Head head =
                new HeadFile(ByteBuffer.wrap(content, 0, end).order(ByteOrder.LITTLE_ENDIAN)).head();
        if (version == FORMER && head.choice() != null) {
            if (!head.hasPhotographs()) {
                throw new HeadException(HeadException.Code.OTHER_VERSION, "a .head file of version 1"
                        + " that holds sums alone: its strength was chosen by another rule");
            }
            head.setChoice(null);
        }
        return head;
    }

    private static byte version(byte[] content) throws HeadException {
        byte version = content.length > NAME.length ? content[NAME.length] : 0;
        if (!Arrays.equals(Arrays.copyOf(content, NAME.length), NAME) || version < '0'
                || version > '9') {
            throw new HeadException(HeadException.Code.NOT_A_HEAD, "not a .head file");
        }
        if (version != FORMER && version != VERSION) {
            throw new HeadException(HeadException.Code.OTHER_VERSION, "a .head file of version "
                    + (char) version + ": a newer reader is needed");
        }
        return version;
    }

    /**
     * Returns the head in a stream, which is read to its end.
     *
     * @param limit the most bytes to read
     * @throws HeadException TOO_LARGE if there are more; NOT_A_HEAD, OTHER_VERSION or DAMAGED
     * @throws IOException if the stream cannot be read
     */
    public static Head read(InputStream in, int limit) throws IOException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        byte[] buffer = new byte[1 << 16];
        for (int got = in.read(buffer); got >= 0; got = in.read(buffer)) {
            if (got > limit - content.size()) {
                throw new HeadException(HeadException.Code.TOO_LARGE,
                        "the file has more than " + limit + " bytes");
            }
            content.write(buffer, 0, got);
        }
        return read(content.toByteArray());
    }

    private Head head() throws HeadException {
        // As a Buffer: what this returns since Java 9 is not there before Android 9.
        ((Buffer) body).position(NAME.length + 1);
        byte[] digest = bytes(Head.DIGEST_BYTES);
        int size = body.getShort() & 0xFFFF;
        int classes = body.getShort() & 0xFFFF;
        long photographs = body.getInt() & 0xFFFFFFFFL;
        int flags = body.get() & 255;
        require(size > 0 && size <= Head.MAX_FEATURES && classes <= Head.MAX_CLASSES
                && photographs <= Head.MAX_PHOTOGRAPHS && flags <= 1, size + " features, "
                + classes + " classes, " + photographs + " photographs, flags " + flags);
        Head head = new Head(digest, size);
        Choice choice = choice();
        String[] labels = labels(classes);
        Photographs[] found = new Photographs[classes];
        // Each class has at least one photograph or sum, so this bounds the memory.
        need(2L * size * classes);
        for (int c = 0; c < classes; c++) {
            found[c] = new Photographs(size);
        }
        if (flags == 1) {
            head.absent = readSums(found, size);
        }
        readPhotographs(found, (int) photographs, size);
        require(body.remaining() == 0, body.remaining() + " bytes too many");
        for (int c = 0; c < classes; c++) {
            require(found[c].count() > 0, "class " + c + " has no photographs");
            head.classes.put(labels[c], found[c]);
        }
        require(head.total() <= Head.MAX_PHOTOGRAPHS, head.total() + " photographs");
        head.setChoice(choice);
        return head;
    }

    private Choice choice() throws HeadException {
        int strength = body.get() & 255;
        double temperature = body.getDouble();
        double threshold = body.getDouble();
        boolean fits = strength == NOT_CHOSEN
                ? temperature == 1 && threshold == Double.POSITIVE_INFINITY
                : strength < Choice.STRENGTHS.length && temperature > 0
                        && !Double.isInfinite(temperature) && !Double.isNaN(threshold);
        require(fits, "strength " + strength + ", temperature " + temperature + ", threshold "
                + threshold);
        return strength == NOT_CHOSEN ? null : new Choice(strength, temperature, threshold);
    }

    private String[] labels(int classes) throws HeadException {
        String[] labels = new String[classes];
        for (int c = 0; c < classes; c++) {
            need(1);
            byte[] name = bytes(body.get() & 255);
            try {
                labels[c] = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(name)).toString();
            } catch (CharacterCodingException error) {
                throw HeadException.damaged("class name " + c + " is not UTF-8");
            }
            String objection = Head.objection(labels[c]);
            require(objection == null, "class name " + c + " " + objection);
            require(c == 0 || Head.compareUtf8(labels[c - 1], labels[c]) < 0,
                    "its class names are not in order");
        }
        return labels;
    }

    private Gram readSums(Photographs[] classes, int size) throws HeadException {
        need(classes.length * (4L + 8L * size) + 4L * size * (size + 1));
        long all = 0;
        for (Photographs one : classes) {
            long count = body.getInt() & 0xFFFFFFFFL;
            require(count <= Head.MAX_PHOTOGRAPHS, count + " absent photographs");
            long[] total = new long[size];
            for (int i = 0; i < size; i++) {
                total[i] = within(count * MAX_FEATURE);
            }
            one.addAbsent((int) count, total);
            all += count;
        }
        require(all > 0 && all <= Head.MAX_PHOTOGRAPHS, all + " absent photographs");
        Gram gram = new Gram(size);
        for (int i = 0; i < size; i++) {
            for (int j = 0; j <= i; j++) {
                gram.rows[j][i - j] = within(all * MAX_FEATURE * MAX_FEATURE);
            }
            require(gram.rows[i][0] >= 0, "a sum of squares is negative");
        }
        return gram;
    }

    /** Returns the next sum; the absolute value of the smallest long would be negative. */
    private long within(long limit) throws HeadException {
        long value = body.getLong();
        require(-limit <= value && value <= limit, "its sums cannot be those of its photographs");
        return value;
    }

    private void readPhotographs(Photographs[] classes, int count, int size) throws HeadException {
        need(count * (2L + 2L * size));
        int before = -1;
        short[] last = null;
        for (int k = 0; k < count; k++) {
            int number = body.getShort() & 0xFFFF;
            short[] features = new short[size];
            for (int i = 0; i < size; i++) {
                features[i] = body.getShort();
                require(features[i] >= -MAX_FEATURE, "a feature is below " + -MAX_FEATURE);
            }
            require(number < classes.length && (number > before || number == before
                    && Photographs.ORDER.compare(last, features) < 0),
                    "photograph " + k + " is not in its place");
            classes[number].present.add(features);
            before = number;
            last = features;
        }
    }

    private byte[] bytes(int count) throws HeadException {
        need(count);
        byte[] found = new byte[count];
        body.get(found);
        return found;
    }

    private void need(long bytes) throws HeadException {
        require(bytes <= body.remaining(), "it ends too early");
    }

    private static void writeStart(Head head, ByteBuffer out) {
        Choice choice = head.choice() == null ? Choice.DEFAULT : head.choice();
        int photographs = 0;
        for (Photographs one : head.classes.values()) {
            photographs += one.present.size();
        }
        out.put(NAME).put(VERSION).put(head.digest());
        out.putShort((short) head.size()).putShort((short) head.classes.size());
        out.putInt(photographs).put((byte) (head.absent == null ? 0 : 1));
        out.put((byte) (head.choice() == null ? NOT_CHOSEN : choice.strength()));
        out.putDouble(choice.temperature()).putDouble(choice.threshold());
    }

    private static void writeSums(Head head, ByteBuffer out) {
        for (Photographs one : head.classes.values()) {
            out.putInt(one.absent);
            for (long value : one.absentTotal()) {
                out.putLong(value);
            }
        }
        for (int i = 0; i < head.size(); i++) {
            for (int j = 0; j <= i; j++) {
                out.putLong(head.absent.rows[j][i - j]);
            }
        }
    }

    /** Returns the length of a file: less than 2^31 within a head's limits. */
    private static int length(Head head) {
        long size = head.size();
        long length = START_BYTES + Head.DIGEST_BYTES;
        for (Map.Entry<String, Photographs> one : head.classes.entrySet()) {
            length += 1 + Head.utf8(one.getKey()).length;
            length += head.absent == null ? 0 : 4 + 8 * size;
            length += one.getValue().present.size() * (2 + 2 * size);
        }
        return (int) (length + (head.absent == null ? 0 : 4 * size * (size + 1)));
    }

    private static byte[] sha256(byte[] content, int length) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(content, 0, length);
            return digest.digest();
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException("every Java has SHA-256", error);
        }
    }

    private static void require(boolean condition, String otherwise) throws HeadException {
        if (!condition) {
            throw HeadException.damaged(otherwise);
        }
    }
}
