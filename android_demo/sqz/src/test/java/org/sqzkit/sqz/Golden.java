package org.sqzkit.sqz;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The golden archives that the Python tests read too: those of files, and updates. */
final class Golden {
    static final Path FOLDER = Paths.get(System.getProperty("golden", "../../tests/golden/sqz"));

    private static final String UPDATES = "updates";

    final String file;
    final String kind;
    final String sha256;
    final String error;
    final int size;
    final byte[] archive;
    private final String base;
    private final Path folder;

    private Golden(Path folder, String entry) throws IOException {
        this.folder = folder;
        file = field(entry, "file");
        kind = field(entry, "kind");
        sha256 = field(entry, "sha256");
        error = field(entry, "error");
        base = field(entry, "base");
        String digits = field(entry, "size");
        size = digits == null ? 0 : Integer.parseInt(digits);
        archive = Files.readAllBytes(folder.resolve(file));
    }

    static List<Golden> all() throws IOException {
        List<Golden> found = read(FOLDER);
        found.addAll(read(FOLDER.resolve(UPDATES)));
        return found;
    }

    /** Updates that must decode. */
    static List<Golden> updates() throws IOException {
        List<Golden> found = read(FOLDER.resolve(UPDATES));
        found.removeIf(golden -> golden.error != null || golden.base == null);
        return found;
    }

    /** Returns the archive of the update's base, which may be another update; null without one. */
    Golden base() throws IOException {
        for (Golden other : read(folder)) {
            if (other.file.equals(base)) {
                return other;
            }
        }
        return null;
    }

    /** Returns the base's file, or its archive if that is damaged; null if there is none. */
    byte[] baseContent() throws IOException {
        Golden other = base();
        return other == null ? null : other.error != null ? other.archive : other.content();
    }

    /** Returns the file. */
    byte[] content() throws IOException {
        return SqzDecoder.decodeAnyKind(archive, baseContent(), SqzDecoder.DEFAULT_LIMIT, null);
    }

    private static List<Golden> read(Path folder) throws IOException {
        byte[] index = Files.readAllBytes(folder.resolve("index.json"));
        List<Golden> found = new ArrayList<>();
        Matcher entries =
                Pattern.compile("\\{[^}]*\\}").matcher(new String(index, StandardCharsets.UTF_8));
        while (entries.find()) {
            found.add(new Golden(folder, entries.group()));
        }
        return found;
    }

    /** Models that must decode: neither bad nor Caffe weights nor updates. */
    static List<Golden> models() throws IOException {
        List<Golden> found = read(FOLDER);
        found.removeIf(golden -> golden.error != null || !"file".equals(golden.kind));
        return found;
    }

    static String sha256(byte[] content) throws Exception {
        StringBuilder text = new StringBuilder();
        for (byte b : MessageDigest.getInstance("SHA-256").digest(content)) {
            text.append(String.format("%02x", b));
        }
        return text.toString();
    }

    private static String field(String entry, String name) {
        Matcher found = Pattern.compile("\"" + name + "\": \"?([^\",\n]*)").matcher(entry);
        return found.find() ? found.group(1) : null;
    }
}
