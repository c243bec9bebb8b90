package org.sqzkit.demo.model;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import org.sqzkit.demo.R;
import org.sqzkit.demo.AppError;

/** The small files that TFLite Metadata packs as a zip after the model: labels, our own record. */
final class AssociatedFiles {
    private static final int END = 0x06054b50;
    private static final int MEMBER = 0x02014b50;
    private static final int MAX_FILES = 64;
    private static final int MAX_BYTES = 1 << 24;
    private static final int END_LENGTH = 22;

    private AssociatedFiles() {}

    /** Returns the files by name; none if nothing is packed. */
    static Map<String, byte[]> read(ByteBuffer content) throws AppError {
        ByteBuffer file = content.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        int end = findEnd(file);
        Map<String, byte[]> files = new HashMap<>();
        if (end < 0) {
            return files;
        }
        int count = file.getShort(end + 10) & 0xffff;
        long size = file.getInt(end + 12) & 0xffffffffL;
        // Some writers count from the start of the zip, not of the file; this holds for both.
        long shift = end - size - (file.getInt(end + 16) & 0xffffffffL);
        long at = end - size;
        int left = MAX_BYTES;
        for (int i = 0; i < count; i++) {
            if (count > MAX_FILES || at < 0 || at + 46 > end || file.getInt((int) at) != MEMBER) {
                throw damaged();
            }
            int nameLength = file.getShort((int) at + 28) & 0xffff;
            byte[] name = copy(file, at + 46, nameLength);
            byte[] data = member(file, (int) at, shift, left);
            left -= data.length;
            files.put(new String(name, StandardCharsets.UTF_8), data);
            at += 46 + nameLength + (file.getShort((int) at + 30) & 0xffff)
                    + (file.getShort((int) at + 32) & 0xffff);
        }
        return files;
    }

    private static int findEnd(ByteBuffer file) {
        int lowest = Math.max(0, file.limit() - END_LENGTH - 0xffff);
        for (int at = file.limit() - END_LENGTH; at >= lowest; at--) {
            if (file.get(at) == 'P' && file.getInt(at) == END) {
                return at;
            }
        }
        return -1;
    }

    private static byte[] member(ByteBuffer file, int entry, long shift, int most) throws AppError {
        int method = file.getShort(entry + 10);
        long packed = file.getInt(entry + 20) & 0xffffffffL;
        long size = file.getInt(entry + 24) & 0xffffffffL;
        long local = (file.getInt(entry + 42) & 0xffffffffL) + shift;
        if (size > most || packed > most || local < 0 || local + 30 > file.limit()) {
            throw damaged();
        }
        long data = local + 30 + (file.getShort((int) local + 26) & 0xffff)
                + (file.getShort((int) local + 28) & 0xffff);
        byte[] bytes = copy(file, data, packed);
        if (method == 0 && packed == size) {
            return bytes;
        }
        if (method != 8) {
            throw damaged();
        }
        return inflate(bytes, (int) size);
    }

    private static byte[] inflate(byte[] packed, int size) throws AppError {
        Inflater inflater = new Inflater(true);
        byte[] out = new byte[size];
        try (InflaterInputStream in =
                new InflaterInputStream(new ByteArrayInputStream(packed), inflater)) {
            for (int at = 0; at < size; ) {
                int read = in.read(out, at, size - at);
                if (read <= 0) {
                    throw damaged();
                }
                at += read;
            }
            return out;
        } catch (IOException e) {
            throw damaged();
        } finally {
            inflater.end();
        }
    }

    private static byte[] copy(ByteBuffer file, long at, long length) throws AppError {
        if (at < 0 || at + length > file.limit()) {
            throw damaged();
        }
        byte[] out = new byte[(int) length];
        ByteBuffer view = file.duplicate();
        ((Buffer) view).position((int) at);
        view.get(out);
        return out;
    }

    private static AppError damaged() {
        return new AppError(R.string.error_damaged_model);
    }
}
