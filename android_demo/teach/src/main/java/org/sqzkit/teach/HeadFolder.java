package org.sqzkit.teach;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashSet;
import java.util.Set;

/**
 * Keeps a head, and a small picture of each of its photographs, in a folder of its own.
 *
 * <p>Every file is written aside and renamed, the picture before the head: after the end of the
 * process at any moment the folder holds the head as it was before or after a change, and all of its
 * pictures. One thread at a time.
 */
public final class HeadFolder {
    private static final String HEAD = "taught.head";
    private static final String DAMAGED = "damaged.head";
    private static final String PART = ".part";
    private static final String PICTURE = ".jpg";
    private static final int MAX_BYTES = 256 << 20;

    private final File folder;

    /**
     * Uses a folder, which is made when something is written.
     *
     * @param folder for one head alone
     */
    public HeadFolder(File folder) {
        this.folder = folder;
    }

    /**
     * Returns the head in the folder, or null if there is none.
     *
     * @throws HeadException DAMAGED, NOT_A_HEAD, OTHER_VERSION or TOO_LARGE: the file is then set
     *     aside as damaged.head, so that the folder can be used anew
     * @throws IOException if it cannot be read
     */
    public Head read() throws IOException {
        File file = new File(folder, HEAD);
        if (!file.exists()) {
            return null;
        }
        try (InputStream in = new FileInputStream(file)) {
            return HeadFile.read(in, MAX_BYTES);
        } catch (HeadException error) {
            rename(file, new File(folder, DAMAGED));
            throw error;
        }
    }

    /** Replaces the head in the folder; one without classes is deleted. */
    public void write(Head head) throws IOException {
        if (head.labels().isEmpty()) {
            new File(folder, HEAD).delete();
        } else {
            write(HeadFile.write(head), new File(folder, HEAD));
        }
    }

    /** Keeps the picture of a photograph; call it before the head with that photograph is written. */
    public void writePicture(short[] features, byte[] picture) throws IOException {
        write(picture, picture(features));
    }

    /** Returns where the picture of a photograph is, if there is one. */
    public File picture(short[] features) {
        return new File(folder, name(features));
    }

    /** Deletes pictures of other photographs than the head's, and what interrupted writes left. */
    public void clean(Head head) {
        Set<String> wanted = new HashSet<>();
        for (String label : head.labels()) {
            for (short[] features : head.photographs(label)) {
                wanted.add(name(features));
            }
        }
        for (File file : files()) {
            String name = file.getName();
            if (name.endsWith(PART) || name.endsWith(PICTURE) && !wanted.contains(name)) {
                file.delete();
            }
        }
    }

    /** Returns the size of all files. */
    public long bytes() {
        long bytes = 0;
        for (File file : files()) {
            bytes += file.length();
        }
        return bytes;
    }

    private File[] files() {
        File[] files = folder.listFiles();
        return files == null ? new File[0] : files;
    }

    /** Pictures are named by the features, so that a class's new name does not touch them. */
    private static String name(short[] features) {
        byte[] bytes = new byte[2 * features.length];
        for (int i = 0; i < features.length; i++) {
            bytes[2 * i] = (byte) features[i];
            bytes[2 * i + 1] = (byte) (features[i] >> 8);
        }
        StringBuilder name = new StringBuilder();
        for (byte value : LastLayer.sha256().digest(bytes)) {
            name.append(Character.forDigit(value >> 4 & 15, 16));
            name.append(Character.forDigit(value & 15, 16));
        }
        return name + PICTURE;
    }

    private void write(byte[] content, File target) throws IOException {
        folder.mkdirs();
        File part = File.createTempFile("in-", PART, folder);
        try {
            try (FileOutputStream out = new FileOutputStream(part)) {
                out.write(content);
                out.getFD().sync();
            }
            rename(part, target);
        } finally {
            part.delete();
        }
    }

    private static void rename(File from, File to) throws IOException {
        if (!from.renameTo(to)) {
            throw new IOException("cannot rename " + from + " to " + to);
        }
    }
}
