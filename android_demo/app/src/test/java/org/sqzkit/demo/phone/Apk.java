package org.sqzkit.demo.phone;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** The APK that this build made: what is tested is taken out of it. */
public final class Apk {
    private Apk() {}

    /** The file. */
    public static File file() {
        return new File(System.getProperty("sqzkit.apk"));
    }

    /** The names of all entries that start with {@code prefix}. */
    public static List<String> names(String prefix) throws IOException {
        List<String> names = new ArrayList<>();
        try (ZipFile zip = new ZipFile(file())) {
            for (ZipEntry entry : Collections.list(zip.entries())) {
                if (entry.getName().startsWith(prefix)) {
                    names.add(entry.getName());
                }
            }
        }
        Collections.sort(names);
        return names;
    }

    /** The content of one entry. */
    public static byte[] read(String name) throws IOException {
        try (ZipFile zip = new ZipFile(file())) {
            return zip.getInputStream(zip.getEntry(name)).readAllBytes();
        }
    }

    /** Where this process of the tests keeps libraries: another must not read one half written. */
    static Path libraries() {
        return Paths.get(System.getProperty("sqzkit.phoneLib"));
    }

    /** Puts TensorFlow Lite's library for {@code abi} into a file. */
    static Path library(String abi) throws IOException {
        Path file = libraries().resolve(abi).resolve("libtensorflowlite_jni.so");
        Files.createDirectories(file.getParent());
        Files.write(file, read("lib/" + abi + "/libtensorflowlite_jni.so"));
        return file;
    }
}
