package org.sqzkit.teach;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** The zip of files that TFLite Metadata puts behind a model: labels, and how photographs are prepared. */
public final class Attachments {
    private static final int LOCAL = 0x04034b50;
    private static final int CENTRAL = 0x02014b50;
    private static final int END = 0x06054b50;
    private static final int END_BYTES = 22;
    private static final int DEFLATED = 8;
    private static final int AXIS_LABELS = 2;
    private static final int MAX_FILES = 64;
    private static final int MAX_BYTES = 1 << 24;
    /** 1 January 1980, as zips count days. */
    private static final int DATE = 0x21;
    /** Python's zipfile on Unix: version 2.0, a file that its owner may read and write. */
    private static final int VERSION = 20;
    private static final int UNIX = 3 << 8;
    private static final int RIGHTS = 0600 << 16;

    /** In the order of the zip's directory. */
    public final Map<String, byte[]> files = new LinkedHashMap<>();

    private final int start;

    private Attachments(int start) {
        this.start = start;
    }

    /** Reads the files that the directory before {@code end} lists. */
    private Attachments(ByteBuffer bytes, int end) throws DataFormatException {
        int at = end - bytes.getInt(end + 12);
        // Some writers count from the start of the zip, not of the file; this holds for both.
        int shift = at - bytes.getInt(end + 16);
        int first = at;
        int left = MAX_BYTES;
        for (int i = bytes.getShort(end + 10) & 0xffff; i > 0; i--) {
            int name = bytes.getShort(at + 28) & 0xffff;
            int local = bytes.getInt(at + 42) + shift;
            Flat.require(bytes.getInt(at) == CENTRAL && local >= 0 && files.size() < MAX_FILES);
            byte[] data = data(bytes, at, local, left);
            files.put(new String(copy(bytes, at + 46, name), StandardCharsets.UTF_8), data);
            left -= data.length;
            first = Math.min(first, local);
            at += 46 + name + (bytes.getShort(at + 30) & 0xffff) + (bytes.getShort(at + 32) & 0xffff);
        }
        start = first;
    }

    /** Returns where the model ends. */
    int start() {
        return start;
    }

    /**
     * Reads the files behind a model; none if there is no zip.
     *
     * @throws HeadException NOT_TEACHABLE if they are damaged, too many or too large
     */
    public static Attachments read(ByteBuffer model) throws HeadException {
        ByteBuffer bytes = model.slice().order(ByteOrder.LITTLE_ENDIAN);
        int end = bytes.limit() - END_BYTES;
        int lowest = Math.max(0, end - 0xffff);
        while (end >= lowest && bytes.getInt(end) != END) {
            end--;
        }
        try {
            return end < lowest ? new Attachments(bytes.limit()) : new Attachments(bytes, end);
        } catch (IndexOutOfBoundsException | DataFormatException error) {
            throw HeadException.unfit("the files behind it are damaged");
        }
    }

    private static byte[] data(ByteBuffer bytes, int entry, int local, int most)
            throws DataFormatException {
        int method = bytes.getShort(entry + 10);
        int size = bytes.getInt(entry + 24);
        byte[] data = copy(bytes, local + 30L + (bytes.getShort(local + 26) & 0xffff)
                + (bytes.getShort(local + 28) & 0xffff), bytes.getInt(entry + 20));
        Flat.require(size >= 0 && size <= most && (method == 0 && size == data.length || method == DEFLATED));
        data = method == DEFLATED ? inflate(data, size) : data;
        CRC32 sum = new CRC32();
        sum.update(data);
        Flat.require((int) sum.getValue() == bytes.getInt(entry + 16));
        return data;
    }

    private static byte[] inflate(byte[] packed, int size) throws DataFormatException {
        byte[] data = new byte[size];
        Inflater inflater = new Inflater(true);
        try {
            inflater.setInput(packed);
            Flat.require(inflater.inflate(data) == size);
            return data;
        } finally {
            inflater.end();
        }
    }

    private static byte[] copy(ByteBuffer bytes, long from, int length) {
        Flat.require(length >= 0 && from >= 0 && from + length <= bytes.limit());
        byte[] copy = new byte[length];
        Buffer view = bytes.duplicate();
        view.position((int) from);
        ((ByteBuffer) view).get(copy);
        return copy;
    }

    /** Returns the name of the file of class names that TFLite Metadata gives, or "". */
    public static String labels(Flat metadata) {
        for (int graphs : metadata.tables(metadata.root(), 3)) {
            for (int output : metadata.tables(graphs, 3)) {
                for (int file : metadata.tables(output, 6)) {
                    if (metadata.number(file, 2, 1) == AXIS_LABELS) {
                        return metadata.text(file, 0);
                    }
                }
            }
        }
        return "";
    }

    /** Returns a model followed by a zip of the files: not compressed, without dates. */
    byte[] appendTo(byte[] model) {
        int size = model.length;
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            size += 76 + 2 * Head.utf8(file.getKey()).length + file.getValue().length;
        }
        size += files.isEmpty() ? 0 : END_BYTES;
        ByteBuffer out = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        out.put(model);
        ByteBuffer central = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            byte[] name = Head.utf8(file.getKey());
            int at = out.position();
            describe(out.putInt(LOCAL), name, file.getValue());
            out.put(name).put(file.getValue());
            describe(central.putInt(CENTRAL).putShort((short) (UNIX + VERSION)), name,
                    file.getValue());
            central.putShort((short) 0).putInt(0).putInt(RIGHTS).putInt(at).put(name);
        }
        if (!files.isEmpty()) {
            int at = out.position();
            short count = (short) files.size();
            out.put(central.array(), 0, central.position());
            out.putInt(END).putInt(0).putShort(count).putShort(count);
            out.putInt(central.position()).putInt(at).putShort((short) 0);
        }
        return out.array();
    }

    /** Writes what a file's two headers have in common. */
    private static void describe(ByteBuffer out, byte[] name, byte[] data) {
        CRC32 sum = new CRC32();
        sum.update(data);
        boolean plain = name.length == new String(name, StandardCharsets.UTF_8).length();
        out.putShort((short) VERSION).putShort((short) (plain ? 0 : 0x800)).putShort((short) 0);
        out.putShort((short) 0).putShort((short) DATE).putInt((int) sum.getValue());
        out.putInt(data.length).putInt(data.length).putShort((short) name.length).putShort((short) 0);
    }
}
