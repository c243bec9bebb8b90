package org.sqzkit.apk;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Writes the unsigned APK: the same input always gives the same bytes.
 *
 * <p>Libraries must begin at a multiple of 16 KB. So that nothing but a few bytes fills the space before
 * each, the files that fit are written there and the rest behind them.
 */
final class ApkWriter implements Closeable {
    /** One fixed moment, 1980-01-02, instead of the clock. */
    private static final long TIME = 315619200000L;

    /** A zip's own bytes for a file, without its name: header and alignment. */
    private static final int OVERHEAD = 30 + 10;

    private final Path file;
    private final List<Content> contents = new ArrayList<>();

    ApkWriter(Path file) {
        this.file = file;
    }

    /** A file, and how many bytes it takes in the zip without its name and header. */
    private record Content(String name, byte[] bytes, boolean stored, int packed) {
        boolean library() {
            return name.startsWith("lib/");
        }

        int size() {
            return OVERHEAD + name.length() + packed;
        }
    }

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
    void add(String name, byte[] bytes, boolean stored) {
        contents.add(new Content(name, bytes, stored, stored ? bytes.length : deflated(bytes)));
    }

    private static int deflated(byte[] bytes) {
        Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
        deflater.setInput(bytes);
        deflater.finish();
        byte[] chunk = new byte[1 << 16];
        while (!deflater.finished()) {
            deflater.deflate(chunk);
        }
        int size = (int) deflater.getBytesWritten();
        deflater.end();
        return size;
    }

    @Override
    public void close() throws IOException {
        List<Content> libraries = new ArrayList<>();
        List<Content> others = new ArrayList<>();
        contents.sort(Comparator.comparing(Content::name));
        contents.forEach(content -> (content.library() ? libraries : others).add(content));
        others.sort(Comparator.comparingInt(Content::size).reversed());
        int space = others.stream().mapToInt(Content::size).sum() / ElfAligner.PAGE * ElfAligner.PAGE;
        List<Content> first = new ArrayList<>();
        for (Content library : libraries) {
            int header = library.size() - library.packed();
            fill(space - header, others, first);
            first.add(library);
            space = ElfAligner.PAGE - (library.packed() + header) % ElfAligner.PAGE + header;
        }
        first.addAll(others);
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(file))) {
            out.setLevel(Deflater.BEST_COMPRESSION);
            for (Content content : first) {
                write(content, out);
            }
        }
    }

    /** Moves the files that fit into {@code space} bytes, large ones first. */
    private static void fill(int space, List<Content> from, List<Content> to) {
        int left = space;
        for (Content content : List.copyOf(from)) {
            if (content.size() <= left) {
                left -= content.size();
                from.remove(content);
                to.add(content);
            }
        }
    }

    private static void write(Content content, ZipOutputStream out) throws IOException {
        ZipEntry entry = new ZipEntry(content.name());
        entry.setTime(TIME);
        // With sizes and checksum in the header, no descriptor follows the content.
        CRC32 crc = new CRC32();
        crc.update(content.bytes());
        entry.setMethod(content.stored() ? ZipEntry.STORED : ZipEntry.DEFLATED);
        entry.setSize(content.bytes().length);
        entry.setCompressedSize(content.packed());
        entry.setCrc(crc.getValue());
        out.putNextEntry(entry);
        out.write(content.bytes());
        out.closeEntry();
    }
}
