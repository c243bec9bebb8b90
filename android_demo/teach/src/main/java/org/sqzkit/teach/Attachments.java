package org.sqzkit.teach;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** The zip of files behind a model: labels, and how photographs are prepared. */
final class Attachments {
    private static final int LOCAL = 0x04034b50;
    private static final int CENTRAL = 0x02014b50;
    private static final int END = 0x06054b50;
    private static final int END_BYTES = 22;
    private static final int MAX_FILES = 64;
    private static final int MAX_BYTES = 1 << 24;
    /** 1 January 1980, as zips count days. */
    private static final int DATE = 0x21;
    /** Python's zipfile on Unix: version 2.0, a file that its owner may read and write. */
    private static final int VERSION = 20;
    private static final int UNIX = 3 << 8;
    private static final int RIGHTS = 0600 << 16;

    final Map<String, byte[]> files = new LinkedHashMap<>();

    private final int start;

    private Attachments(int start) {
        this.start = start;
    }

    /** Returns where the model ends. */
    int start() {
        return start;
    }

    /** Reads the files behind a model; none if there is no zip. */
    static Attachments read(byte[] content) throws HeadException {
        ByteBuffer bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
        int end = content.length - END_BYTES;
        while (end >= Math.max(0, content.length - END_BYTES - 0xffff) && bytes.getInt(end) != END) {
            end--;
        }
        if (end < Math.max(0, content.length - END_BYTES - 0xffff)) {
            return new Attachments(content.length);
        }
        try {
            Attachments found = new Attachments(start(bytes, end));
            found.readFiles(content);
            return found;
        } catch (IndexOutOfBoundsException | IllegalArgumentException | IOException error) {
            throw HeadException.unfit("the files behind it are damaged");
        }
    }

    /** Returns where the first file begins. */
    private static int start(ByteBuffer bytes, int end) throws IOException {
        int at = end - bytes.getInt(end + 12);
        // Some writers count from the start of the zip, not of the file; this holds for both.
        int shift = at - bytes.getInt(end + 16);
        int first = at;
        for (int i = bytes.getShort(end + 10); i > 0; i--) {
            if (bytes.getInt(at) != CENTRAL) {
                throw new IOException("no entry");
            }
            first = Math.min(first, bytes.getInt(at + 42) + shift);
            at += 46 + (bytes.getShort(at + 28) & 0xffff) + (bytes.getShort(at + 30) & 0xffff)
                    + (bytes.getShort(at + 32) & 0xffff);
        }
        if (first < 0) {
            throw new IOException("no start");
        }
        return first;
    }

    private void readFiles(byte[] content) throws IOException {
        ZipInputStream zip =
                new ZipInputStream(new ByteArrayInputStream(content, start, content.length - start));
        int left = MAX_BYTES;
        byte[] chunk = new byte[1 << 12];
        for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
            ByteArrayOutputStream data = new ByteArrayOutputStream();
            for (int got = zip.read(chunk); got > 0; got = zip.read(chunk)) {
                data.write(chunk, 0, got);
                left -= got;
                if (left < 0 || files.size() >= MAX_FILES) {
                    throw new IOException("too large");
                }
            }
            files.put(entry.getName(), data.toByteArray());
        }
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
        boolean plain = name.length == new String(name, java.nio.charset.StandardCharsets.UTF_8)
                .length();
        out.putShort((short) VERSION).putShort((short) (plain ? 0 : 0x800)).putShort((short) 0);
        out.putShort((short) 0).putShort((short) DATE).putInt((int) sum.getValue());
        out.putInt(data.length).putInt(data.length).putShort((short) name.length).putShort((short) 0);
    }
}
