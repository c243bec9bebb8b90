package org.sqzkit.sqz;

import com.sun.management.ThreadMXBean;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.lang.management.ManagementFactory;

/**
 * Packs files from standard input, and answers each with the SHA-256 of its archive and the microseconds
 * that it took. Each lies behind its length (four bytes, highest first), and before the base of an update
 * behind that one's length, which is -1 without one. Python's tests compare the answers with their own.
 */
public final class EncodeFiles {
    private EncodeFiles() {}

    public static void main(String[] arguments) throws Exception {
        ThreadMXBean clock = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        DataInputStream input = new DataInputStream(new BufferedInputStream(System.in));
        for (byte[] content = DecodeArchives.next(input); content != null;
                content = DecodeArchives.next(input)) {
            byte[] base = DecodeArchives.next(input);
            long start = clock.getCurrentThreadCpuTime();
            byte[] archive = base == null ? SqzEncoder.encode(content, null)
                    : SqzEncoder.encodeUpdate(content, base, null);
            long took = (clock.getCurrentThreadCpuTime() - start) / 1000;
            System.out.println(DecodeArchives.sha256(archive) + " " + took);
        }
    }
}
