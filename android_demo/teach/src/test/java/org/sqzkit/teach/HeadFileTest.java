package org.sqzkit.teach;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import com.sun.management.ThreadMXBean;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import org.junit.Test;
import org.sqzkit.teach.HeadException.Code;

public class HeadFileTest {
    private static final int START = 66;

    private static ByteBuffer file(String name) throws IOException {
        return ByteBuffer.wrap(Golden.bytes(name)).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static void refused(Code code, byte[] content) {
        assertEquals(code,
                assertThrows(HeadException.class, () -> HeadFile.read(content)).code());
    }

    @Test
    public void streamsAreReadUpToTheLimit() throws IOException {
        byte[] content = Golden.bytes("three_classes.head");
        Head head = HeadFile.read(new ByteArrayInputStream(content), content.length);
        assertArrayEquals(content, HeadFile.write(head));
        HeadException error = assertThrows(HeadException.class, () ->
                HeadFile.read(new ByteArrayInputStream(content), content.length - 1));
        assertEquals(Code.TOO_LARGE, error.code());
    }

    @Test
    public void everyFlippedByteIsNoticed() throws IOException {
        byte[] content = Golden.bytes("three_classes.head");
        for (int i = 0; i < content.length; i++) {
            byte[] changed = content.clone();
            changed[i] ^= 0x10;
            refused(i < 8 ? Code.NOT_A_HEAD : Code.DAMAGED, changed);
        }
    }

    @Test
    public void sumsOfNoPhotographsAreRefused() throws Exception {
        ByteBuffer content = file("three_classes_sums.head");
        int gram = content.limit() - 32 - 4 * 24 * 25;
        content.putLong(gram + 8, 47L << 29);
        Head head = HeadFile.read(Golden.signed(content.array()));
        HeadException error = assertThrows(HeadException.class, head::teach);
        assertEquals(Code.DAMAGED, error.code());
        assertTrue(error.getMessage(), error.getMessage().contains("not positive definite"));
    }

    @Test
    public void valuesOutsideTheirRangesAreRefused() throws Exception {
        for (double value : new double[] {0, Double.POSITIVE_INFINITY, Double.NaN}) {
            ByteBuffer content = file("three_classes.head").putDouble(50, value);
            refused(Code.DAMAGED, Golden.signed(content.array()));
        }
        // Not chosen, but with a temperature.
        ByteBuffer content = file("three_classes.head").put(49, (byte) 255);
        refused(Code.DAMAGED, Golden.signed(content.array()));
        content = file("three_classes.head").put(START + 1, (byte) 0xFF);
        refused(Code.DAMAGED, Golden.signed(content.array()));
    }

    @Test
    public void fewBytesDoNotAskForMuchMemory() throws Exception {
        ByteBuffer content = ByteBuffer.allocate(START + 2000 + 32).order(ByteOrder.LITTLE_ENDIAN);
        content.put(Golden.bytes("three_classes.head"), 0, START);
        content.putShort(40, (short) 4096).putShort(42, (short) 1000).put(48, (byte) 1);
        for (int i = 0; i < 1000; i++) {
            content.put((byte) 1).put((byte) (32 + i));
        }
        Golden.signed(content.array());
        assertTrue(allocated(content.array()) < 1 << 20);
    }

    /** Damages files and makes the checksum right again: refused, or read and written alike. */
    @Test
    public void noDamageGivesAnotherException() throws Exception {
        Random random = new Random(5);
        String[] files = {"three_classes.head", "three_classes_sums.head", "one_of_each.head",
            "one_photograph_sums.head"};
        int refused = 0;
        for (int k = 0; k < 4000; k++) {
            byte[] content = Golden.bytes(files[k % files.length]);
            if (k % 5 == 0) {
                content = Arrays.copyOf(content, 40 + random.nextInt(content.length));
            }
            int from = k % 3 == 0 ? START : 40;
            for (int n = 1 + random.nextInt(3); n > 0; n--) {
                int at = from + random.nextInt(Math.max(1, Math.min(60, content.length - 32 - from)));
                if (at < content.length) {
                    content[at] = (byte) random.nextInt(256);
                }
            }
            try {
                byte[] again = HeadFile.write(HeadFile.read(Golden.signed(content)));
                assertArrayEquals(content, again);
            } catch (HeadException error) {
                refused++;
            }
        }
        assertTrue("refused " + refused, refused > 1000 && refused < 4000);
    }

    private static long allocated(byte[] content) {
        ThreadMXBean clock = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().getId();
        long before = clock.getThreadAllocatedBytes(self);
        refused(Code.DAMAGED, content);
        return clock.getThreadAllocatedBytes(self) - before;
    }
}
