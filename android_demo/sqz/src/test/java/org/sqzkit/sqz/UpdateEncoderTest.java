package org.sqzkit.sqz;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.Test;

/** The updates that Python writes, which give their files again. */
public class UpdateEncoderTest {
    private static final Path FOLDER = Golden.FOLDER.resolve("packed_updates");
    private static final long LIMIT = SqzDecoder.DEFAULT_LIMIT;

    /** An update that Python made, with its file and its base. */
    private static final class Update {
        final byte[] archive;
        final byte[] baseArchive;
        final byte[] base;
        final byte[] content;

        Update(byte[] archive) throws Exception {
            this.archive = archive;
            String name = "base_" + SqzDecoder.baseSha256(archive) + ".sqz";
            baseArchive = Files.readAllBytes(FOLDER.resolve(name));
            base = SqzDecoder.decode(baseArchive, LIMIT, null);
            content = SqzDecoder.decode(archive, base, LIMIT, null);
        }
    }

    private static TreeMap<String, Update> updates() throws Exception {
        TreeMap<String, Update> found = new TreeMap<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(FOLDER)) {
            for (Path file : files) {
                byte[] archive = Files.readAllBytes(file);
                if (SqzDecoder.baseSha256(archive) != null) {
                    found.put(file.getFileName().toString(), new Update(archive));
                }
            }
        }
        assertTrue(found.size() + " updates", found.size() >= 18);
        return found;
    }

    @Test
    public void everyUpdateHasTheBytesThatPythonWrites() throws Exception {
        TreeMap<String, Update> updates = updates();
        for (String name : updates.keySet()) {
            Update update = updates.get(name);
            byte[] content = update.content.clone();
            byte[] base = update.base.clone();
            assertArrayEquals(name, update.archive, SqzEncoder.encodeUpdate(content, base, null));
            assertArrayEquals(update.content, content);
            assertArrayEquals(update.base, base);
        }
    }

    @Test
    public void theBaseMayBeAnArchiveOfIt() throws Exception {
        Update update = updates().get("classes_moved.sqz");
        assertArrayEquals(update.archive,
                SqzEncoder.encodeUpdate(update.content, update.baseArchive, null));
        byte[] cut = Arrays.copyOf(update.baseArchive, update.baseArchive.length - 1);
        SqzException damaged = assertThrows(SqzException.class,
                () -> SqzEncoder.encodeUpdate(update.content, cut, null));
        assertEquals(SqzException.Code.DAMAGED, damaged.code());
        // An update stands for its file only where its own base is.
        SqzException chained = assertThrows(SqzException.class,
                () -> SqzEncoder.encodeUpdate(update.content, update.archive, null));
        assertEquals(SqzException.Code.NO_BASE, chained.code());
        // Nobody means the bytes around the archive.
        byte[] signed = Files.readAllBytes(Golden.FOLDER.resolve("signed/example.signed.sqz"));
        SqzException refused = assertThrows(SqzException.class,
                () -> SqzEncoder.encodeUpdate(update.content, signed, null));
        assertEquals(SqzException.Code.NOT_AN_ARCHIVE, refused.code());
    }

    /** A base of another network, or one without the tensors that changed, is of little use only. */
    @Test
    public void anyBaseWillDo() throws Exception {
        TreeMap<String, Update> updates = updates();
        String[] others = {"another_network", "no_model", "empty", "offsets_moved", "taught"};
        for (String name : new String[] {"weights_moved", "taught", "no_model", "empty"}) {
            byte[] content = updates.get(name + ".sqz").content;
            int whole = SqzEncoder.encode(content, null).length;
            for (String other : others) {
                byte[] base = updates.get(other + ".sqz").content;
                byte[] archive = SqzEncoder.encodeUpdate(content, base, null);
                assertTrue(archive.length + " above " + whole, archive.length <= whole + 64);
                assertArrayEquals(content, SqzDecoder.decode(archive, base, LIMIT, null));
            }
        }
        Update taught = updates.get("taught.sqz");
        byte[] archive = SqzEncoder.encodeUpdate(
                taught.content, updates.get("weights_moved.sqz").base, null);
        SqzException wrong = assertThrows(SqzException.class,
                () -> SqzDecoder.decode(archive, taught.base, LIMIT, null));
        assertEquals(SqzException.Code.WRONG_BASE, wrong.code());
    }

    /** Files and bases with some bytes changed, or cut: the file comes out again, whatever it is. */
    @Test
    public void anyBytesComeOutAgain() throws Exception {
        List<Update> updates = new ArrayList<>(updates().values());
        Random random = new Random(12);
        ThreadMXBean clock = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().getId();
        for (int k = 0; k < Integer.getInteger("sqzkit.fuzz", 10_000) / 50; k++) {
            Update update = updates.get(k % updates.size());
            byte[] content = changed(update.content, random);
            byte[] base = changed(update.base, random);
            long start = clock.getCurrentThreadCpuTime();
            long before = clock.getThreadAllocatedBytes(self);
            byte[] archive = SqzEncoder.encodeUpdate(content, base, null);
            long took = clock.getCurrentThreadCpuTime() - start;
            long bytes = clock.getThreadAllocatedBytes(self) - before;
            assertTrue("took " + took / 1_000_000 + " ms", took < 2_000_000_000L);
            assertTrue("took " + bytes + " bytes", bytes < 96 << 20);
            assertTrue(archive.length <= content.length + 121);
            assertArrayEquals(content, SqzDecoder.decode(archive, base, LIMIT, null));
        }
    }

    private static byte[] changed(byte[] given, Random random) {
        byte[] content = given.clone();
        for (int n = random.nextInt(4); n > 0 && content.length > 0; n--) {
            content[random.nextInt(content.length)] = (byte) random.nextInt(256);
        }
        boolean cut = random.nextInt(4) == 0;
        return Arrays.copyOf(content, cut ? random.nextInt(content.length + 1) : content.length);
    }

    @Test
    public void progressGrowsToTheSizeAndMayStopThePacking() throws Exception {
        SqzException stop = new SqzException(SqzException.Code.STOPPED, "stopped");
        for (Update update : updates().values()) {
            List<Long> seen = new ArrayList<>();
            SqzEncoder.encodeUpdate(update.content, update.base, (done, total) -> {
                assertTrue(done + " after " + seen,
                        seen.isEmpty() || done >= seen.get(seen.size() - 1));
                assertEquals(update.content.length, total);
                seen.add(done);
            });
            assertEquals(update.content.length, (long) seen.get(seen.size() - 1));
            for (int last : new int[] {0, seen.size() / 2, seen.size() - 1}) {
                int[] calls = {0};
                SqzException thrown = assertThrows(SqzException.class,
                        () -> SqzEncoder.encodeUpdate(update.content, update.base, (done, total) -> {
                            if (calls[0]++ == last) {
                                throw stop;
                            }
                        }));
                assertSame(stop, thrown);
            }
        }
    }
}
