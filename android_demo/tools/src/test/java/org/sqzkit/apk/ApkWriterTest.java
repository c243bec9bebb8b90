package org.sqzkit.apk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** The order of the files in an APK. */
public class ApkWriterTest {
    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    /** The library will be moved to the next multiple of 16 KB: little may lie between. */
    @Test
    public void filesFillTheSpaceBeforeTheFirstLibrary() throws Exception {
        Random random = new Random(1);
        Map<String, byte[]> files = new TreeMap<>();
        files.put("lib/b/x.so", new byte[20_000]);
        files.put("lib/a/x.so", new byte[30_000]);
        for (int i = 0; i < 60; i++) {
            byte[] content = new byte[i == 7 ? 50_000 : 100 + random.nextInt(900)];
            random.nextBytes(content);
            files.put("res/" + i + (i % 2 == 0 ? ".xml" : ".png"), content);
        }
        Path apk = folder.getRoot().toPath().resolve("a.apk");
        try (ApkWriter writer = new ApkWriter(apk)) {
            files.forEach((name, content) -> writer.add(name, content, !name.endsWith(".xml")));
        }
        long at = 0;
        long library = -1;
        try (ZipFile zip = new ZipFile(apk.toFile())) {
            assertEquals(files.size(), zip.size());
            for (ZipEntry entry : Collections.list(zip.entries())) {
                assertArrayEquals(files.get(entry.getName()), zip.getInputStream(entry).readAllBytes());
                library = library < 0 && entry.getName().equals("lib/a/x.so") ? at : library;
                boolean stored = entry.getMethod() == ZipEntry.STORED;
                at += 30 + entry.getName().length() + entry.getCompressedSize() + (stored ? 0 : 16);
            }
        }
        long gap = (ElfAligner.PAGE - library % ElfAligner.PAGE) % ElfAligner.PAGE;
        assertTrue(gap + " bytes", library > ElfAligner.PAGE && gap < 1500);
    }
}
