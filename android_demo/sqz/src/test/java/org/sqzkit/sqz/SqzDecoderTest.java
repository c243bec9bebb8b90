package org.sqzkit.sqz;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.junit.Test;

public class SqzDecoderTest {
    @Test
    public void everyGoldenFileComesOutAsItWasPacked() throws Exception {
        int count = 0;
        for (Golden golden : Golden.all()) {
            if (golden.error == null) {
                assertEquals(golden.file, golden.sha256, Golden.sha256(golden.content()));
                count++;
            }
        }
        assertTrue("only " + count + " files", count >= 61);
    }

    @Test
    public void everyBadArchiveIsRefusedWithTheReason() throws Exception {
        int count = 0;
        for (Golden golden : Golden.all()) {
            if (golden.error != null) {
                SqzException error =
                        assertThrows(golden.file, SqzException.class, golden::content);
                assertTrue(golden.file + ": " + error.getMessage(),
                        error.getMessage().contains(golden.error));
                assertEquals(error.getMessage(), code(error.getMessage()), error.code());
                count++;
            }
        }
        assertTrue("only " + count + " bad archives", count >= 110);
    }

    private static SqzException.Code code(String message) {
        return message.contains("give that file") ? SqzException.Code.NO_BASE
                : message.contains("the given base has") ? SqzException.Code.WRONG_BASE
                : message.contains("does not begin") ? SqzException.Code.NOT_AN_ARCHIVE
                : message.contains("newer than version") ? SqzException.Code.NEWER_VERSION
                : message.contains(" of a file of ")
                ? SqzException.Code.TOO_LARGE : SqzException.Code.DAMAGED;
    }

    @Test
    public void caffeWeightsAreNamedAsSuchWhereAModelIsAskedFor() throws Exception {
        int count = 0;
        for (Golden golden : Golden.all()) {
            if ("net".equals(golden.kind)) {
                SqzException error = assertThrows(SqzException.class,
                        () -> SqzDecoder.decode(golden.archive, SqzDecoder.DEFAULT_LIMIT, null));
                assertTrue(error.getMessage(), error.getMessage().contains("Caffe"));
                assertEquals(SqzException.Code.NOT_A_MODEL, error.code());
                count++;
            }
        }
        assertEquals(2, count);
    }

    @Test
    public void theLimitIsTheCallers() throws Exception {
        Golden golden = Golden.models().get(2);
        int size = SqzDecoder.decode(golden.archive, 1 << 20, null).length;
        assertEquals(size, SqzDecoder.decode(golden.archive, size, null).length);
        assertThrows(SqzException.class, () -> SqzDecoder.decode(golden.archive, size - 1, null));
    }

    /** Memory outside the heap, with something before and behind the model. */
    @Test
    public void aModelIsUnpackedIntoTheCallersBuffer() throws Exception {
        int count = 0;
        for (Golden golden : Golden.all()) {
            if (golden.error != null || "net".equals(golden.kind)) {
                continue;
            }
            int size = golden.content().length;
            assertEquals(golden.file, size, SqzDecoder.fileSize(golden.archive));
            ByteBuffer target = ByteBuffer.allocateDirect(size + 12);
            target.position(5);
            SqzDecoder.decode(golden.archive, golden.baseContent(), target, null);
            assertEquals(size + 5, target.position());
            byte[] written = new byte[size];
            target.position(5);
            target.get(written);
            assertEquals(golden.file, golden.sha256, Golden.sha256(written));
            for (int at : new int[] {0, 4, size + 5, size + 11}) {
                assertEquals("beside the model", 0, target.get(at));
            }
            count++;
        }
        assertTrue("only " + count + " files", count >= 59);
    }

    @Test
    public void aBufferThatIsTooSmallIsRefusedBeforeAnythingIsWritten() throws Exception {
        Golden golden = Golden.models().get(2);
        ByteBuffer target = ByteBuffer.allocate(golden.content().length - 1);
        SqzException error = assertThrows(SqzException.class,
                () -> SqzDecoder.decode(golden.archive, null, target, null));
        assertEquals(SqzException.Code.TOO_LARGE, error.code());
        assertEquals(0, target.position());
        assertArrayEquals(new byte[target.capacity()], target.array());
        assertEquals(-1, SqzDecoder.fileSize(Arrays.copyOf(golden.archive, 51)));
    }

    @Test
    public void progressEndsAtTheSizeAndMayStopTheDecoding() throws Exception {
        for (Golden golden : Golden.models()) {
            List<Long> seen = new ArrayList<>();
            byte[] content = SqzDecoder.decode(golden.archive, 1 << 22, (done, total) -> {
                assertTrue(done <= total);
                seen.add(done);
            });
            assertEquals(content.length, (long) seen.get(seen.size() - 1));
        }
        SqzException stop = new SqzException(SqzException.Code.STOPPED, "stopped");
        byte[] archive = Golden.models().get(0).archive;
        SqzException thrown = assertThrows(SqzException.class,
                () -> SqzDecoder.decode(archive, 1 << 20, (done, total) -> {
                    throw stop;
                }));
        assertEquals(stop, thrown);
    }

    @Test
    public void progressIsToldWithinATensor() throws Exception {
        int most = 0;
        for (Golden golden : Golden.models()) {
            TreeSet<Long> seen = new TreeSet<>();
            SqzDecoder.decode(golden.archive, 1 << 22, (done, total) -> {
                assertTrue(done + " after " + seen, seen.isEmpty() || done >= seen.last());
                seen.add(done);
            });
            most = Math.max(most, seen.size());
        }
        assertTrue("only " + most + " steps", most > 40);
    }

    @Test
    public void archivesAreRecognised() throws Exception {
        assertTrue(SqzDecoder.isArchive(Golden.models().get(0).archive));
        assertFalse(SqzDecoder.isArchive(new byte[] {0x1c, 0, 0, 0, 'T', 'F', 'L', '3'}));
        assertFalse(SqzDecoder.isArchive(new byte[0]));
    }
}
