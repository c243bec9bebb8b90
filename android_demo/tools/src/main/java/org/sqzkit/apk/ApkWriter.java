package org.sqzkit.apk;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/** Writes the unsigned APK: the same input always gives the same bytes. */
final class ApkWriter implements Closeable {
    /** One fixed moment, 1980-01-02, instead of the clock. */
    private static final long TIME = 315619200000L;

    private final ZipOutputStream out;

    ApkWriter(Path file) throws IOException {
        out = new ZipOutputStream(Files.newOutputStream(file));
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
    void add(String name, byte[] bytes, boolean stored) throws IOException {
        ZipEntry entry = new ZipEntry(name);
        entry.setTime(TIME);
        if (stored) {
            CRC32 crc = new CRC32();
            crc.update(bytes);
            entry.setMethod(ZipEntry.STORED);
            entry.setSize(bytes.length);
            entry.setCrc(crc.getValue());
        }
        out.putNextEntry(entry);
        out.write(bytes);
        out.closeEntry();
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
