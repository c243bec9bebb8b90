package org.sqzkit.demo.model;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Arrays;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;

/** Writes files that appear complete or not at all. */
public final class AtomicFiles {
    private static final String PART = ".part";
    private static final int CHUNK = 1 << 16;
    private static final int HEADER = 16;

    private AtomicFiles() {}

    /** Refuses a file by its first bytes. */
    public interface Header {
        /** Accepts every file. */
        Header ANY = start -> { };

        /** Throws the reason for which the file is refused; gets 16 bytes, or all if there are fewer. */
        void check(byte[] start) throws AppError;
    }

    /**
     * Copies a stream of another app into {@code target}.
     *
     * @param maxBytes the largest file that is accepted
     * @param unreadable the message if the stream fails
     * @param progress called after each piece; may throw to stop
     */
    public static void copy(InputStream in, File target, long maxBytes, Header header, int unreadable,
            Runnable progress) throws AppError {
        File part = null;
        try {
            part = part(target);
            try (FileOutputStream out = new FileOutputStream(part)) {
                byte[] chunk = new byte[CHUNK];
                int count = fill(in, chunk, HEADER, unreadable);
                header.check(Arrays.copyOf(chunk, count));
                for (long total = count; count > 0; total += count) {
                    progress.run();
                    if (total > maxBytes) {
                        throw new AppError(R.string.error_file_too_large, maxBytes >> 20);
                    }
                    out.write(chunk, 0, count);
                    count = fill(in, chunk, 1, unreadable);
                }
                out.getFD().sync();
            }
            move(part, target);
        } catch (IOException e) {
            throw new AppError(R.string.error_storage);
        } finally {
            if (part != null) {
                part.delete();
            }
        }
    }

    /** Reads at least {@code atLeast} bytes, unless the stream ends before; returns the count. */
    private static int fill(InputStream in, byte[] chunk, int atLeast, int unreadable) throws AppError {
        int count = 0;
        try {
            while (count < atLeast) {
                int read = in.read(chunk, count, chunk.length - count);
                if (read == 0) {
                    // Against InputStream's contract, but a provider may do it; this call blocks.
                    int one = in.read();
                    read = one < 0 ? -1 : 1;
                    chunk[count] = (byte) one;
                }
                if (read < 0) {
                    return count;
                }
                if (read > chunk.length - count) {
                    throw new IOException("more bytes than asked for");
                }
                count += read;
            }
            return count;
        } catch (IOException | RuntimeException e) {
            throw new AppError(unreadable);
        }
    }

    /** Writes {@code content} into {@code target}. */
    public static void write(byte[] content, File target) throws AppError {
        copy(new ByteArrayInputStream(content), target, content.length, Header.ANY,
                R.string.error_storage, () -> { });
    }

    /** Maps a file for reading. */
    public static ByteBuffer map(File file) throws IOException {
        try (FileInputStream in = new FileInputStream(file)) {
            return in.getChannel().map(FileChannel.MapMode.READ_ONLY, 0, file.length());
        }
    }

    /** Removes what interrupted writes left in a folder. */
    public static void clean(File folder) {
        File[] parts = folder.listFiles((parent, name) -> name.endsWith(PART));
        if (parts != null) {
            for (File part : parts) {
                part.delete();
            }
        }
    }

    /** Renames {@code from}; a file that was at {@code target} is replaced. */
    public static void move(File from, File target) throws IOException {
        if (!from.renameTo(target)) {
            throw new IOException("cannot rename to " + target);
        }
    }

    private static File part(File target) throws IOException {
        File folder = target.getParentFile();
        folder.mkdirs();
        return File.createTempFile("in-", PART, folder);
    }
}
