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
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;
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
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                writer.add(file.getKey(), file.getValue(), !file.getKey().endsWith(".xml"));
            }
        }
        try (ZipFile zip = new ZipFile(apk.toFile())) {
            assertEquals(files.size(), zip.size());
            long at = 0; // in the aligned APK
            for (ZipEntry entry : Collections.list(zip.entries())) {
                assertArrayEquals(files.get(entry.getName()), zip.getInputStream(entry).readAllBytes());
                at += 30 + entry.getName().length();
                if (entry.getName().startsWith("lib/")) {
                    long gap = (ElfAligner.PAGE - at % ElfAligner.PAGE) % ElfAligner.PAGE;
                    assertTrue(entry.getName() + ": " + gap + " bytes", gap < 200);
                    at += gap;
                }
                at += entry.getCompressedSize();
            }
            assertTrue("descriptors", Files.size(apk) <= at + 22
                    + files.keySet().stream().mapToInt(name -> 46 + name.length()).sum());
        }
    }

    /** Every reader of zip files reads it, and it is smaller than what the JDK makes. */
    @Test
    public void filesAreCompressedWellAndReadByTheJdk() throws Exception {
        StringBuilder text = new StringBuilder();
        new Random(2).ints(4000, 0, 40).forEach(word -> text.append("Word").append(word * word));
        byte[] content = text.toString().getBytes("UTF-8");
        Path[] files = {folder.getRoot().toPath().resolve("a"), folder.getRoot().toPath().resolve("b")};
        for (Path file : files) {
            try (ApkWriter writer = new ApkWriter(file)) {
                writer.add("Wörter.xml", content, false);
                writer.add("nothing.xml", new byte[0], false);
                writer.add("stored.png", content, true);
            }
        }
        Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
        deflater.setInput(content);
        deflater.finish();
        int size = deflater.deflate(new byte[content.length]);
        try (ZipInputStream in = new ZipInputStream(Files.newInputStream(files[0]));
                ZipFile zip = new ZipFile(files[0].toFile())) {
            assertEquals("stored.png", in.getNextEntry().getName());
            assertArrayEquals(content, in.readAllBytes());
            assertEquals("Wörter.xml", in.getNextEntry().getName());
            assertArrayEquals(content, in.readAllBytes());
            assertEquals("nothing.xml", in.getNextEntry().getName());
            assertEquals(0, in.readAllBytes().length);
            ZipEntry words = zip.getEntry("Wörter.xml");
            assertArrayEquals(content, zip.getInputStream(words).readAllBytes());
            long packed = words.getCompressedSize();
            assertTrue(packed + " of " + size, packed < 0.99 * size);
            assertEquals(ZipEntry.STORED, zip.getEntry("stored.png").getMethod());
        }
        assertArrayEquals("the same bytes again",
                Files.readAllBytes(files[0]), Files.readAllBytes(files[1]));
    }
}
