package org.sqzkit.demo;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.sqzkit.demo.model.AtomicFiles;

/**
 * Remembers what native code was working on, so that a file that ends the process is not opened
 * again at the next start.
 *
 * <p>TensorFlow Lite and Android's image decoders are C++: a hostile file can end the process
 * without any exception. A marker file exists exactly while such code runs.
 */
final class CrashGuard {
    /** How the suspect begins if a photo was being decoded: as the names of such files do. */
    static final String PHOTO = "photo";

    private final File marker;
    private final String suspect;

    /** Reads the marker that the former process left, if any, and removes it. */
    CrashGuard(File marker) {
        this.marker = marker;
        suspect = read(marker);
        marker.delete();
    }

    private static String read(File marker) {
        try {
            return marker.exists()
                    ? StandardCharsets.UTF_8.decode(AtomicFiles.map(marker)).toString() : "";
        } catch (IOException e) {
            return "";
        }
    }

    /** What the former process was working on when it ended; empty if on nothing. */
    String suspect() {
        return suspect;
    }

    /** Notes that native code starts to work on {@code id}. */
    synchronized void enter(String id) {
        // Without a sync: the marker must survive the end of the process, not a power cut.
        try (FileOutputStream out = new FileOutputStream(marker)) {
            out.write(id.getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            marker.delete(); // a full disk; the work itself can still succeed
        }
    }

    /** Notes that it returned. */
    synchronized void leave() {
        marker.delete();
    }
}
