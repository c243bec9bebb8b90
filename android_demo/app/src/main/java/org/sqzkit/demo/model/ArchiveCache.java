package org.sqzkit.demo.model;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Comparator;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;
import org.sqzkit.sqz.Progress;
import org.sqzkit.sqz.SignedArchive;
import org.sqzkit.sqz.SqzDecoder;
import org.sqzkit.sqz.SqzException;
import org.sqzkit.sqz.SqzTooLargeException;

/**
 * Expands {@code .sqz} archives, once for each: the result is kept under the archive's SHA-256.
 *
 * <p>The kept file's name also carries the SHA-256 of its own content, which is checked at every
 * opening; a file that changed on the disk is expanded again. The {@link #MAX_COPIES} used last are
 * kept.
 */
final class ArchiveCache {
    static final int MAX_COPIES = 4;

    private static final long MAX_BYTES = 256L << 20;
    private static final String ENDING = ".tflite";

    private final File folder;

    ArchiveCache(File folder) {
        this.folder = folder;
        AtomicFiles.clean(folder);
    }

    /** Whether a file starts as an archive does. */
    static boolean isArchive(ByteBuffer content) {
        return SqzDecoder.isArchive(start(content));
    }

    /** Whether a file starts as a signed archive does. */
    static boolean isSigned(ByteBuffer content) {
        return SignedArchive.isSigned(start(content));
    }

    private static byte[] start(ByteBuffer content) {
        byte[] start = new byte[Math.min(content.limit(), 4)];
        content.duplicate().get(start);
        return start;
    }

    /** Returns the model in {@code archive}, mapped. */
    ByteBuffer expand(byte[] archive, Progress progress) throws IOException, AppError {
        String name = Sha256.of(archive);
        ByteBuffer kept = kept(name);
        if (kept != null) {
            return kept;
        }
        byte[] model = decode(archive, null, progress);
        File file = new File(folder, name + "-" + Sha256.of(model) + ENDING);
        AtomicFiles.write(model, file);
        prune();
        return AtomicFiles.map(file);
    }

    /** Deletes the copies that were not used for longest. */
    private void prune() {
        File[] files = files();
        Arrays.sort(files, Comparator.comparingLong(File::lastModified));
        for (int i = 0; i < files.length - MAX_COPIES; i++) {
            files[i].delete();
        }
    }

    private File[] files() {
        File[] files = folder.listFiles((parent, file) -> file.endsWith(ENDING));
        return files == null ? new File[0] : files;
    }

    /** Returns the size of all copies. */
    long bytes() {
        long bytes = 0;
        for (File file : files()) {
            bytes += file.length();
        }
        return bytes;
    }

    /** Deletes all copies; content that is mapped stays readable. */
    void clear() {
        for (File file : files()) {
            file.delete();
        }
    }

    private ByteBuffer kept(String name) throws IOException {
        File[] files = folder.listFiles((parent, file) -> file.startsWith(name + "-"));
        if (files == null) {
            return null;
        }
        for (File file : files) {
            ByteBuffer content = AtomicFiles.map(file);
            if (file.getName().equals(name + "-" + Sha256.of(content) + ENDING)) {
                file.setLastModified(System.currentTimeMillis());
                return content;
            }
            file.delete();
        }
        return null;
    }

    /**
     * Expands in memory; what the archive declares must fit into half of what the app may use.
     *
     * @param base the file that an update starts from, or an archive of it; else null
     */
    static byte[] decode(byte[] archive, byte[] base, Progress progress) throws AppError {
        long limit = Math.min(MAX_BYTES, Runtime.getRuntime().maxMemory() / 2);
        if (archive.length > limit) {
            throw new AppError(R.string.error_archive_too_large);
        }
        try {
            return SqzDecoder.decode(archive, base, limit, progress);
        } catch (SqzTooLargeException e) {
            throw new AppError(R.string.error_archive_too_large);
        } catch (SqzException e) {
            if (e.code() == SqzException.Code.NO_BASE) {
                throw new AppError(R.string.error_update_base, SqzDecoder.baseSha256(archive));
            }
            throw new AppError(R.string.error_archive, e.getMessage());
        }
    }
}
