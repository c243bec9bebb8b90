package org.sqzkit.sqz;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32;
import org.junit.Test;

/** 10,000 damaged archives, and as many updates: each is refused, or is still the same model. */
public class SqzDamageTest {
    private static final int HEADER = 52;
    /** More with -Dsqzkit.fuzz=100000. */
    private static final int CASES = Integer.getInteger("sqzkit.fuzz", 10_000);
    private static final int MAX_SIZE = 10_000;
    private static final long LIMIT = 1 << 20;
    private static final long SPARE = 16 << 20;

    @Test
    public void noDamageGivesAnotherModelOrAnotherException() throws Exception {
        // What SqzDecoder promises: four times the file, at most the limit, and 16 MiB.
        damage(Golden.models(), HEADER, 4 * LIMIT + SPARE);
    }

    @Test
    public void noDamagedUpdateGivesAnotherModelOrAnotherException() throws Exception {
        // Behind the SHA-256 of the base, which every change would make another's.
        damage(Golden.updates(), HEADER + 32, 5 * LIMIT + SPARE);
    }

    private static void damage(List<Golden> all, int behind, long mostMemory) throws Exception {
        List<Golden> small = new ArrayList<>(all);
        small.removeIf(golden -> golden.archive.length > 2000 || golden.size > MAX_SIZE);
        assertTrue(small.size() >= 15);
        List<byte[]> bases = new ArrayList<>();
        for (Golden golden : small) {
            bases.add(golden.baseContent());
        }
        Random random = new Random(7);
        int refused = 0;
        int deep = 0;
        long slowest = 0;
        long largest = 0;
        // This thread's own: other work does not count.
        ThreadMXBean clock = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().getId();
        for (int k = 0; k < CASES; k++) {
            Golden golden = small.get(k % small.size());
            byte[] base = bases.get(k % small.size());
            byte[] damaged = damage(golden.archive, random, behind);
            long start = clock.getCurrentThreadCpuTime();
            long before = clock.getThreadAllocatedBytes(self);
            try {
                byte[] content = SqzDecoder.decode(damaged, base, LIMIT, null);
                assertEquals(golden.file, golden.sha256, Golden.sha256(content));
            } catch (SqzException error) {
                refused++;
                deep += error.getMessage().contains("CRC-32") ? 0 : 1;
            }
            slowest = Math.max(slowest, clock.getCurrentThreadCpuTime() - start);
            largest = Math.max(largest, clock.getThreadAllocatedBytes(self) - before);
        }
        assertTrue("refused " + refused, refused > CASES * 9 / 10);
        assertTrue("got past the checksum: " + deep, deep > CASES / 2);
        assertTrue("slowest took " + slowest / 1_000_000 + " ms", slowest < 1_000_000_000L);
        // All that was allocated, so at least all that was ever held at once.
        assertTrue("one took " + largest + " bytes", largest < mostMemory);
    }

    /** Changes, cuts, doubles or adds some bytes; mostly makes the CRC-32 right again. */
    private static byte[] damage(byte[] archive, Random random, int behind) {
        byte[] damaged = archive.clone();
        int kind = random.nextInt(8);
        if (kind == 0) {
            damaged = Arrays.copyOf(damaged, random.nextInt(damaged.length));
        } else if (kind == 1) {
            damaged = Arrays.copyOf(damaged, damaged.length + 1 + random.nextInt(40));
        } else {
            int from = random.nextInt(4) == 0 ? 4 : behind;
            int span = random.nextBoolean() ? Math.min(60, damaged.length - from) : damaged.length - from;
            for (int n = 1 + random.nextInt(3); n > 0 && span > 0; n--) {
                damaged[from + random.nextInt(span)] = (byte) random.nextInt(256);
            }
        }
        if (damaged.length >= HEADER && random.nextInt(8) != 0) {
            CRC32 checksum = new CRC32();
            checksum.update(damaged, 0, HEADER - 4);
            checksum.update(damaged, HEADER, damaged.length - HEADER);
            for (int b = 0; b < 4; b++) {
                damaged[HEADER - 4 + b] = (byte) (checksum.getValue() >> (8 * b));
            }
        }
        return damaged;
    }
}
