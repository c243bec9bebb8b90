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

/** The golden archives that the Python tests read too. */
final class Golden {
    static final Path FOLDER = Paths.get(System.getProperty("golden", "../../tests/golden/sqz"));

    final String file;
    final String kind;
    final String sha256;
    final String error;
    final int size;
    final byte[] archive;

    private Golden(String entry) throws IOException {
        file = field(entry, "file");
        kind = field(entry, "kind");
        sha256 = field(entry, "sha256");
        error = field(entry, "error");
        String digits = field(entry, "size");
        size = digits == null ? 0 : Integer.parseInt(digits);
        archive = Files.readAllBytes(FOLDER.resolve(file));
    }

    static List<Golden> all() throws IOException {
        byte[] index = Files.readAllBytes(FOLDER.resolve("index.json"));
        List<Golden> found = new ArrayList<>();
        Matcher entries =
                Pattern.compile("\\{[^}]*\\}").matcher(new String(index, StandardCharsets.UTF_8));
        while (entries.find()) {
            found.add(new Golden(entries.group()));
        }
        return found;
    }

    /** Models that must decode: neither bad nor Caffe weights. */
    static List<Golden> models() throws IOException {
        List<Golden> found = all();
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
