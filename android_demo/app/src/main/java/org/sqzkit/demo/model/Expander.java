package org.sqzkit.demo.model;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.sqzkit.demo.R;
import org.sqzkit.demo.Trouble;
import org.sqzkit.sqz.Progress;
import org.sqzkit.sqz.SqzDecoder;
import org.sqzkit.sqz.SqzException;
import org.sqzkit.sqz.SqzTooLargeException;

/**
 * Expands {@code .sqz} archives, once for each: the result is kept under the archive's SHA-256.
 *
 * <p>The kept file's name also carries the SHA-256 of its own content, which is checked at every
 * opening; a file that changed on the disk is expanded again.
 */
final class Expander {
    private static final long MOST_BYTES = 256L << 20;
    private static final String ENDING = ".tflite";

    private final File folder;

    Expander(File folder) {
        this.folder = folder;
        WholeFile.clean(folder);
    }

    /** Whether a file starts as an archive does. */
    static boolean isArchive(ByteBuffer content) {
        byte[] start = new byte[Math.min(content.limit(), 4)];
        content.duplicate().get(start);
        return SqzDecoder.isArchive(start);
    }

    /** Returns the model in {@code archive}, mapped. */
    ByteBuffer expand(byte[] archive, Progress progress) throws IOException, Trouble {
        String name = Digest.of(archive);
        ByteBuffer kept = kept(name);
        if (kept != null) {
            return kept;
        }
        byte[] model = decode(archive, progress);
        File file = new File(folder, name + "-" + Digest.of(model) + ENDING);
        WholeFile.write(model, file);
        return WholeFile.map(file);
    }

    private ByteBuffer kept(String name) throws IOException {
        File[] files = folder.listFiles((parent, file) -> file.startsWith(name + "-"));
        if (files == null) {
            return null;
        }
        for (File file : files) {
            ByteBuffer content = WholeFile.map(file);
            if (file.getName().equals(name + "-" + Digest.of(content) + ENDING)) {
                return content;
            }
            file.delete();
        }
        return null;
    }

    /** Expands in memory; what the archive declares must fit into half of what the app may use. */
    private static byte[] decode(byte[] archive, Progress progress) throws Trouble {
        long limit = Math.min(MOST_BYTES, Runtime.getRuntime().maxMemory() / 2);
        try {
            return SqzDecoder.decode(archive, limit, progress);
        } catch (SqzTooLargeException e) {
            throw new Trouble(R.string.trouble_archive_too_large);
        } catch (SqzException e) {
            throw new Trouble(R.string.trouble_archive, e.getMessage());
        }
    }
}
