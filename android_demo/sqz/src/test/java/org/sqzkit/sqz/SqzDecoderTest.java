package org.sqzkit.sqz;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.Test;

public class SqzDecoderTest {
    @Test
    public void everyGoldenFileComesOutAsItWasPacked() throws Exception {
        int count = 0;
        for (Golden golden : Golden.all()) {
            if (golden.error == null) {
                byte[] content =
                        SqzDecoder.decodeAnyKind(golden.archive, SqzDecoder.DEFAULT_LIMIT, null);
                assertEquals(golden.file, golden.sha256, Golden.sha256(content));
                count++;
            }
        }
        assertTrue("only " + count + " files", count >= 36);
    }

    @Test
    public void everyBadArchiveIsRefusedWithTheReason() throws Exception {
        int count = 0;
        for (Golden golden : Golden.all()) {
            if (golden.error != null) {
                SqzException error = assertThrows(golden.file, SqzException.class,
                        () -> SqzDecoder.decodeAnyKind(
                                golden.archive, SqzDecoder.DEFAULT_LIMIT, null));
                assertTrue(error.getMessage(), error.getMessage().contains(golden.error));
                count++;
            }
        }
        assertTrue("only " + count + " bad archives", count >= 80);
    }

    @Test
    public void caffeWeightsAreNamedAsSuchWhereAModelIsAskedFor() throws Exception {
        int count = 0;
        for (Golden golden : Golden.all()) {
            if ("net".equals(golden.kind)) {
                SqzException error = assertThrows(SqzException.class,
                        () -> SqzDecoder.decode(golden.archive, SqzDecoder.DEFAULT_LIMIT, null));
                assertTrue(error.getMessage(), error.getMessage().contains("Caffe"));
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
        SqzException stop = new SqzException("stopped");
        byte[] archive = Golden.models().get(0).archive;
        SqzException thrown = assertThrows(SqzException.class,
                () -> SqzDecoder.decode(archive, 1 << 20, (done, total) -> {
                    throw stop;
                }));
        assertEquals(stop, thrown);
    }

    @Test
    public void archivesAreRecognised() throws Exception {
        assertTrue(SqzDecoder.isArchive(Golden.models().get(0).archive));
        assertFalse(SqzDecoder.isArchive(new byte[] {0x1c, 0, 0, 0, 'T', 'F', 'L', '3'}));
        assertFalse(SqzDecoder.isArchive(new byte[0]));
    }
}
