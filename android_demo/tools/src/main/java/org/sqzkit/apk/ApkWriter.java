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
 * <p>Libraries must begin at a multiple of 16 KB. So that nothing but a few bytes fills the space before the
 * first one, the files that fit are written before the libraries and the rest behind them.
 */
final class ApkWriter implements Closeable {
    /** One fixed moment, 1980-01-02, instead of the clock. */
    private static final long TIME = 315619200000L;

    /** A zip's own bytes for a file, without its name: header, alignment and data descriptor. */
    private static final int OVERHEAD = 30 + 10 + 16;

    private final Path file;
    private final List<Content> contents = new ArrayList<>();

    ApkWriter(Path file) {
        this.file = file;
    }

    private record Content(String name, byte[] bytes, boolean stored, int size) {
        boolean library() {
            return name.startsWith("lib/");
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
        int size = OVERHEAD + name.length() + (stored ? bytes.length : deflated(bytes));
        contents.add(new Content(name, bytes, stored, size));
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
        List<Content> first = new ArrayList<>();
        List<Content> last = new ArrayList<>();
        int space = contents.stream().filter(content -> !content.library()).mapToInt(Content::size).sum()
                / ElfAligner.PAGE * ElfAligner.PAGE;
        contents.sort(Comparator.comparingInt(Content::size).reversed().thenComparing(Content::name));
        for (Content content : contents) {
            boolean fits = !content.library() && content.size() <= space;
            (fits ? first : last).add(content);
            space -= fits ? content.size() : 0;
        }
        last.sort(Comparator.comparing(Content::library).reversed().thenComparing(Content::name));
        first.addAll(last);
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(file))) {
            out.setLevel(Deflater.BEST_COMPRESSION);
            for (Content content : first) {
                write(content, out);
            }
        }
    }

    private static void write(Content content, ZipOutputStream out) throws IOException {
        ZipEntry entry = new ZipEntry(content.name());
        entry.setTime(TIME);
        if (content.stored()) {
            CRC32 crc = new CRC32();
            crc.update(content.bytes());
            entry.setMethod(ZipEntry.STORED);
            entry.setSize(content.bytes().length);
            entry.setCrc(crc.getValue());
        }
        out.putNextEntry(entry);
        out.write(content.bytes());
        out.closeEntry();
    }
}
