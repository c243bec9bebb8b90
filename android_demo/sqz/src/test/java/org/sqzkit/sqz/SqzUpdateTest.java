package org.sqzkit.sqz;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.junit.Test;

/** Updates: which base they take, what they say of others, and how they can be followed. */
public class SqzUpdateTest {
    private static final long LIMIT = 1 << 20;

    @Test
    public void anUpdateNamesItsBaseAndItsFile() throws Exception {
        List<Golden> updates = Golden.updates();
        assertEquals(21, updates.size());
        for (Golden golden : updates) {
            assertEquals(golden.base().sha256, SqzDecoder.baseSha256(golden.archive));
            assertEquals(golden.sha256, SqzDecoder.fileSha256(golden.archive));
        }
        byte[] file = Golden.models().get(0).archive;
        assertNull(SqzDecoder.baseSha256(file));
        assertNull(SqzDecoder.baseSha256(Arrays.copyOf(updates.get(0).archive, 83)));
        assertNull(SqzDecoder.fileSha256(Arrays.copyOf(file, 51)));
    }

    @Test
    public void anUpdateTakesNoOtherFileThanItsBase() throws Exception {
        byte[] archive = named("everything.sqz").archive;
        byte[] base = named("everything.sqz").baseContent();
        Random random = new Random(3);
        for (int k = 0; k < 500; k++) {
            byte[] other = k % 5 == 0 ? Arrays.copyOf(base, base.length + k - 250) : base.clone();
            other[random.nextInt(other.length)] ^= (byte) (1 << random.nextInt(8));
            refuses(archive, other, SqzException.Code.WRONG_BASE);
        }
        refuses(archive, null, SqzException.Code.NO_BASE);
        refuses(archive, new byte[0], SqzException.Code.WRONG_BASE);
        for (Golden golden : Golden.updates()) {
            // What an update gives is no base of it, unless nothing changes.
            if (!golden.sha256.equals(golden.base().sha256)) {
                refuses(golden.archive, golden.content(), SqzException.Code.WRONG_BASE);
            }
        }
    }

    private static void refuses(byte[] archive, byte[] base, SqzException.Code code) {
        SqzException error = assertThrows(
                SqzException.class, () -> SqzDecoder.decode(archive, base, LIMIT, null));
        assertEquals(code, error.code());
        String needed = SqzDecoder.baseSha256(archive);
        assertTrue(error.getMessage(), error.getMessage().contains("SHA-256 " + needed));
    }

    @Test
    public void theBaseMayBeAnArchiveOfIt() throws Exception {
        Golden golden = named("everything.sqz");
        byte[] base = golden.base().archive;
        byte[] content = SqzDecoder.decode(golden.archive, base, LIMIT, null);
        assertEquals(golden.sha256, Golden.sha256(content));
        refuses(golden.archive, named("zeros.sqz").base().archive, SqzException.Code.WRONG_BASE);
        // An archive of the base that is itself an update, and has no base.
        Golden chained = named("chained.sqz");
        SqzException error = assertThrows(SqzException.class,
                () -> SqzDecoder.decode(chained.archive, golden.archive, LIMIT, null));
        assertEquals(SqzException.Code.NO_BASE, error.code());
    }

    @Test
    public void theLimitIsThatOfTheBaseToo() throws Exception {
        Golden golden = named("to_nothing.sqz");
        byte[] base = golden.baseContent();
        assertEquals(0, SqzDecoder.decode(golden.archive, base, base.length, null).length);
        SqzException error = assertThrows(SqzException.class,
                () -> SqzDecoder.decode(golden.archive, base, base.length - 1, null));
        assertEquals(SqzException.Code.TOO_LARGE, error.code());
    }

    @Test
    public void progressFollowsAnUpdateAndMayStopIt() throws Exception {
        Golden golden = named("everything.sqz");
        byte[] base = golden.base().archive;
        TreeSet<Long> seen = new TreeSet<>();
        SqzDecoder.decode(golden.archive, base, LIMIT, (done, total) -> {
            assertEquals(golden.size, total);
            assertTrue(done + " after " + seen, seen.isEmpty() || done >= seen.last());
            seen.add(done);
        });
        assertTrue("only " + seen, seen.size() > 10);
        assertEquals(golden.size, (long) seen.last());
        SqzException stop = new SqzException(SqzException.Code.STOPPED, "stopped");
        for (long last : new TreeSet<>(seen)) {
            SqzException thrown = assertThrows(SqzException.class,
                    () -> SqzDecoder.decode(golden.archive, base, LIMIT, (done, total) -> {
                        if (done >= last) {
                            throw stop;
                        }
                    }));
            assertSame(stop, thrown);
        }
    }

    private static Golden named(String file) throws Exception {
        for (Golden golden : Golden.updates()) {
            if (golden.file.equals(file)) {
                return golden;
            }
        }
        throw new AssertionError(file);
    }
}
