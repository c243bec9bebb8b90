package org.sqzkit.apk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
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

    /** A library will be moved to the next multiple of 16 KB: little may lie between. */
    @Test
    public void filesFillTheSpaceBeforeTheLibraries() throws Exception {
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
        try (ZipFile zip = new ZipFile(apk.toFile())) {
            assertEquals(files.size(), zip.size());
            long at = 0; // in the aligned APK
            for (ZipEntry entry : Collections.list(zip.entries())) {
                assertArrayEquals(files.get(entry.getName()), zip.getInputStream(entry).readAllBytes());
                at += 30 + entry.getName().length();
                if (entry.getName().startsWith("lib/")) {
                    long gap = (ElfAligner.PAGE - at % ElfAligner.PAGE) % ElfAligner.PAGE;
                    assertTrue(entry.getName() + ": " + gap + " bytes", at > ElfAligner.PAGE && gap < 1500);
                    at += gap;
                }
                at += entry.getCompressedSize();
            }
            assertTrue("descriptors", Files.size(apk) <= at + 22
                    + files.keySet().stream().mapToInt(name -> 46 + name.length()).sum());
        }
    }
}
