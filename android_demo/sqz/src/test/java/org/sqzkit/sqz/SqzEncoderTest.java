package org.sqzkit.sqz;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.Test;

/** The bytes that Python writes, which come out again. */
public class SqzEncoderTest {
    private static final Path ROOT = Golden.FOLDER.resolve("../../..");

    /** Returns the files whose archives Python wrote down, by the SHA-256 of the archive. */
    private static TreeMap<String, byte[]> packed() throws Exception {
        String index = new String(
                Files.readAllBytes(Golden.FOLDER.resolve("packed.json")), StandardCharsets.UTF_8);
        Matcher lines = Pattern.compile("\"([^\"]+)\": \"([0-9a-f]{64})\"").matcher(index);
        TreeMap<String, byte[]> found = new TreeMap<>();
        while (lines.find()) {
            byte[] content = Files.readAllBytes(ROOT.resolve(lines.group(1)));
            found.put(lines.group(2), SqzDecoder.isArchive(content)
                    ? SqzDecoder.decode(content, SqzDecoder.DEFAULT_LIMIT, null) : content);
        }
        return found;
    }

    private static List<byte[]> small() throws Exception {
        List<byte[]> files = new ArrayList<>(packed().values());
        files.removeIf(content -> content.length > 20_000);
        assertTrue(files.size() + " files", files.size() >= 15);
        return files;
    }

    @Test
    public void everyArchiveHasTheBytesThatPythonWrites() throws Exception {
        TreeMap<String, byte[]> packed = packed();
        assertTrue(packed.size() + " files", packed.size() >= 50);
        for (String sha256 : packed.keySet()) {
            byte[] archive = SqzEncoder.encode(packed.get(sha256), null);
            assertEquals(packed.get(sha256).length + " bytes", sha256, Golden.sha256(archive));
            assertArrayEquals(packed.get(sha256),
                    SqzDecoder.decode(archive, SqzDecoder.DEFAULT_LIMIT, null));
        }
    }

    /** A model with some bytes changed, cut or doubled: whatever it has become comes out again. */
    @Test
    public void anyBytesComeOutAgain() throws Exception {
        List<byte[]> models = small();
        Random random = new Random(11);
        ThreadMXBean clock = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().getId();
        for (int k = 0; k < Integer.getInteger("sqzkit.fuzz", 10_000) / 50; k++) {
            byte[] content = models.get(k % models.size()).clone();
            for (int n = random.nextInt(4); n > 0 && content.length > 0; n--) {
                content[random.nextInt(content.length)] = (byte) random.nextInt(256);
            }
            content = Arrays.copyOf(content,
                    random.nextInt(4) == 0 ? random.nextInt(content.length + 1) : content.length);
            long start = clock.getCurrentThreadCpuTime();
            long before = clock.getThreadAllocatedBytes(self);
            byte[] archive = SqzEncoder.encode(content, null);
            long took = clock.getCurrentThreadCpuTime() - start;
            long bytes = clock.getThreadAllocatedBytes(self) - before;
            assertTrue("took " + took / 1_000_000 + " ms", took < 2_000_000_000L);
            assertTrue("took " + bytes + " bytes", bytes < 64 << 20);
            assertTrue(archive.length <= content.length + 80);
            assertArrayEquals(content, SqzDecoder.decode(archive, SqzDecoder.DEFAULT_LIMIT, null));
        }
    }

    @Test
    public void progressGrowsToTheSizeAndMayStopThePacking() throws Exception {
        SqzException stop = new SqzException(SqzException.Code.STOPPED, "stopped");
        for (byte[] content : small()) {
            List<Long> seen = new ArrayList<>();
            SqzEncoder.encode(content, (done, total) -> {
                assertTrue(done + " after " + seen, seen.isEmpty() || done >= seen.get(seen.size() - 1));
                assertEquals(content.length, total);
                seen.add(done);
            });
            assertEquals(content.length, (long) seen.get(seen.size() - 1));
            int last = seen.size() / 2;
            int[] calls = {0};
            SqzException thrown = assertThrows(SqzException.class,
                    () -> SqzEncoder.encode(content, (done, total) -> {
                        if (calls[0]++ == last) {
                            throw stop;
                        }
                    }));
            assertSame(stop, thrown);
        }
    }
}
