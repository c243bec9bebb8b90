package org.sqzkit.example;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.concurrent.atomic.AtomicBoolean;
import org.sqzkit.sqz.SqzDecoder;
import org.sqzkit.sqz.SqzException;

/** Unpacks an archive or applies an update: progress, a way to cancel, errors in own words. */
public final class Unpack {
    private Unpack() {}

    /** Unpacks the first file into the second; the third is the base of an update. */
    public static void main(String[] arguments) throws IOException {
        if (arguments.length < 2 || arguments.length > 3) {
            System.err.println("usage: Unpack ARCHIVE.sqz MODEL.tflite [BASE.tflite]");
            System.exit(2);
        }
        try {
            Path base = arguments.length > 2 ? Paths.get(arguments[2]) : null;
            unpack(Paths.get(arguments[0]), base, Paths.get(arguments[1]), new AtomicBoolean());
        } catch (SqzException error) {
            System.err.println(arguments[0] + ": " + text(error));
            System.exit(1);
        }
    }

    /**
     * Unpacks an archive.
     *
     * @param base the file that an update starts from, or null
     * @param cancelled true, from any thread, stops the work
     */
    public static void unpack(Path archive, Path base, Path model, AtomicBoolean cancelled)
            throws IOException {
        byte[] content = SqzDecoder.decode(Files.readAllBytes(archive),
                base == null ? null : Files.readAllBytes(base), SqzDecoder.DEFAULT_LIMIT,
                (done, total) -> {
                    if (cancelled.get()) {
                        throw new SqzException(SqzException.Code.STOPPED, "cancelled");
                    }
                    System.out.print("\r" + 100 * done / Math.max(total, 1) + " %");
                });
        System.out.println();
        Files.write(model, content);
    }

    /** Says why an archive was refused. */
    static String text(SqzException error) {
        switch (error.code()) {
            case NOT_AN_ARCHIVE:
                return "this is not a .sqz file";
            case NEWER_VERSION:
                return "a newer version of this program can read it";
            case NOT_A_MODEL:
                return "it holds Caffe weights instead of a model";
            case NO_BASE:
            case WRONG_BASE:
                return error.getMessage();
            case TOO_LARGE:
                return "the model in it is too large";
            case STOPPED:
                return "stopped";
            default:
                return "it is damaged: download it again";
        }
    }
}
