package org.sqzkit.sqz;

import com.sun.management.ThreadMXBean;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.security.MessageDigest;

/**
 * Decodes archives from standard input, each behind its length (four bytes, highest first; -1 for
 * none) and followed by its base in the same way, and answers each with a line: "accepted", the SHA-256 of the file and the microseconds that it took,
 * or "refused", the microseconds and the reason. Python's tests compare the answers with their own.
 */
public final class DecodeArchives {
    private DecodeArchives() {}

    /** The argument is the limit of the decoded size. */
    public static void main(String[] arguments) throws Exception {
        long limit = Long.parseLong(arguments[0]);
        ThreadMXBean clock = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        DataInputStream input = new DataInputStream(new BufferedInputStream(System.in));
        for (byte[] archive = next(input); archive != null; archive = next(input)) {
            byte[] base = next(input);
            long start = clock.getCurrentThreadCpuTime();
            String answer;
            try {
                byte[] content = SqzDecoder.decodeAnyKind(archive, base, limit, null);
                long took = (clock.getCurrentThreadCpuTime() - start) / 1000;
                answer = "accepted " + sha256(content) + " " + took;
            } catch (SqzException error) {
                long took = (clock.getCurrentThreadCpuTime() - start) / 1000;
                answer = "refused " + took + " " + error.getMessage();
            }
            System.out.println(answer);
            System.out.flush();
        }
    }

    static String sha256(byte[] content) throws Exception {
        StringBuilder text = new StringBuilder();
        for (byte b : MessageDigest.getInstance("SHA-256").digest(content)) {
            text.append(String.format("%02x", b));
        }
        return text.toString();
    }

    /** Returns the next file, null if there is none. */
    static byte[] next(DataInputStream input) throws IOException {
        int length;
        try {
            length = input.readInt();
        } catch (EOFException end) {
            return null;
        }
        if (length < 0) {
            return null;
        }
        byte[] archive = new byte[length];
        input.readFully(archive);
        return archive;
    }
}
