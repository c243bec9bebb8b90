package org.sqzkit.demo.model;

/**
 * A model that can be chosen.
 *
 * @param id "asset:NAME" for one that came with the app, "file:NAME" for one the user opened
 * @param bytes size of the file as it was delivered
 */
public record ModelEntry(String id, long bytes) {
    static final String ASSET = "asset:";
    static final String FILE = "file:";

    /** Whether {@code text} is an identifier as {@link #id} is. */
    public static boolean isId(String text) {
        return text.startsWith(ASSET) || text.startsWith(FILE);
    }

    /** Whether it came with the app. */
    public boolean bundled() {
        return id.startsWith(ASSET);
    }

    /** The file's name. */
    public String fileName() {
        return id.substring(id.indexOf(':') + 1);
    }

    /** Whether it is an archive that is expanded before use. */
    public boolean archive() {
        return fileName().endsWith(".sqz");
    }
}
