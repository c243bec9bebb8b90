package org.sqzkit.demo.model;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.sqzkit.demo.R;
import org.sqzkit.demo.Trouble;

/** Files that are there whole or not at all. */
public final class WholeFile {
    private static final String PART = ".part";
    private static final int CHUNK = 1 << 16;

    private WholeFile() {}

    /** Copies at most {@code most} bytes into {@code target}, which appears only when it is complete. */
    public static void copy(InputStream in, File target, long most) throws IOException, Trouble {
        File part = part(target);
        try {
            try (FileOutputStream out = new FileOutputStream(part)) {
                byte[] chunk = new byte[CHUNK];
                long total = 0;
                for (int read; (read = in.read(chunk)) > 0; ) {
                    total += read;
                    if (total > most) {
                        throw new Trouble(R.string.trouble_file_too_large, most >> 20);
                    }
                    out.write(chunk, 0, read);
                }
                out.getFD().sync();
            }
            move(part, target);
        } finally {
            part.delete();
        }
    }

    /** Writes {@code content} into {@code target}, which appears only when it is complete. */
    static void write(byte[] content, File target) throws IOException {
        File part = part(target);
        try {
            try (FileOutputStream out = new FileOutputStream(part)) {
                out.write(content);
                out.getFD().sync();
            }
            move(part, target);
        } finally {
            part.delete();
        }
    }

    /** Maps a file for reading. */
    static ByteBuffer map(File file) throws IOException {
        try (FileInputStream in = new FileInputStream(file)) {
            return in.getChannel().map(FileChannel.MapMode.READ_ONLY, 0, file.length());
        }
    }

    /** Removes what an interrupted write left in a folder. */
    static void clean(File folder) {
        File[] parts = folder.listFiles((parent, name) -> name.endsWith(PART));
        if (parts != null) {
            for (File part : parts) {
                part.delete();
            }
        }
    }

    private static File part(File target) throws IOException {
        File folder = target.getParentFile();
        folder.mkdirs();
        return File.createTempFile("in-", PART, folder);
    }

    private static void move(File part, File target) throws IOException {
        if (!part.renameTo(target)) {
            throw new IOException("cannot rename to " + target);
        }
    }
}
