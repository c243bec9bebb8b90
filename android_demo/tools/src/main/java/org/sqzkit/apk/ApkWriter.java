package org.sqzkit.apk;

import com.googlecode.pngtastic.core.processing.zopfli.Options.BlockSplitting;
import com.googlecode.pngtastic.core.processing.zopfli.Options.OutputFormat;
import com.googlecode.pngtastic.core.processing.zopfli.Zopfli;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** Writes the unsigned APK: the same input always gives the same bytes. */
final class ApkWriter implements Closeable {
    /** One fixed moment, 1980-01-02 as zip files count days, instead of the clock. */
    private static final short DAY = 1 << 5 | 2;

    /** What reads the file must know version 2.0 of the format, and that names are UTF-8. */
    private static final short VERSION = 20;
    private static final short UTF_8 = 1 << 11;

    /** More rounds take longer and save less than 50 bytes of the classes. */
    private static final int ROUNDS = 5;

    private final Path file;
    private final List<Content> contents = new ArrayList<>();

    ApkWriter(Path file) {
        this.file = file;
    }

    /** A file, and what the zip has of it. */
    private record Content(String name, byte[] bytes, boolean stored, byte[] packed) {}

    /** Adds what aapt2 linked, in the order of the names. */
    void addLinked(Path linked) throws IOException {
        try (ZipFile zip = new ZipFile(linked.toFile())) {
            List<? extends ZipEntry> entries = Collections.list(zip.entries());
            entries.sort(Comparator.comparing(ZipEntry::getName));
            for (ZipEntry entry : entries) {
                byte[] bytes = zip.getInputStream(entry).readAllBytes();
                add(entry.getName(), bytes, entry.getMethod() == ZipEntry.STORED);
            }
        }
    }

    /** Adds one file; {@code stored} ones can be mapped by the phone from inside the APK. */
    void add(String name, byte[] bytes, boolean stored) throws IOException {
        contents.add(new Content(name, bytes, stored, stored ? bytes : deflated(bytes)));
    }

    /** Zopfli's streams are some 5 % smaller than those of the JDK's deflater at its best. */
    private static byte[] deflated(byte[] bytes) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        new Zopfli(Math.max(bytes.length, 1 << 15)).compress(
                new com.googlecode.pngtastic.core.processing.zopfli.Options(OutputFormat.DEFLATE, BlockSplitting.FIRST, ROUNDS), bytes, out);
        return out.toByteArray();
    }

    @Override
    public void close() throws IOException {
        Map<FileOrder.Entry, Content> byEntry = new HashMap<>();
        for (Content content : contents) {
            byEntry.put(new FileOrder.Entry(content.name(), content.packed().length, content.stored()), content);
        }
        List<Content> ordered = new ArrayList<>();
        for (FileOrder.Entry entry : FileOrder.of(List.copyOf(byEntry.keySet()))) {
            ordered.add(byEntry.get(entry));
        }
        try (OutputStream out = Files.newOutputStream(file)) {
            write(ordered, out);
        }
    }

    private static void write(List<Content> files, OutputStream out) throws IOException {
        ByteArrayOutputStream directory = new ByteArrayOutputStream();
        int at = 0;
        for (Content content : files) {
            byte[] name = content.name().getBytes(StandardCharsets.UTF_8);
            byte[] facts = facts(content, name.length);
            byte[] header = little(30).putInt(0x04034b50).put(facts).array();
            out.write(header);
            out.write(name);
            out.write(content.packed());
            directory.write(little(46).putInt(0x02014b50).putShort(VERSION).put(facts)
                    .putInt(42, at).array());
            directory.write(name);
            at += header.length + name.length + content.packed().length;
        }
        out.write(directory.toByteArray());
        out.write(little(22).putInt(0x06054b50).putInt(0)
                .putShort((short) files.size()).putShort((short) files.size())
                .putInt(directory.size()).putInt(at).array());
    }

    /** What a zip says of a file, both before it and in its directory. */
    private static byte[] facts(Content content, int nameLength) {
        CRC32 crc = new CRC32();
        crc.update(content.bytes());
        return little(26).putShort(VERSION).putShort(UTF_8)
                .putShort((short) (content.stored() ? ZipEntry.STORED : ZipEntry.DEFLATED))
                .putShort((short) 0).putShort(DAY).putInt((int) crc.getValue())
                .putInt(content.packed().length).putInt(content.bytes().length)
                .putShort((short) nameLength).array();
    }

    private static ByteBuffer little(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
