package org.sqzkit.apk;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;

/** Android library archives: classes.jar and native libraries in a zip. */
final class Aar {
    /** What the libraries ask of R8, all in one file beside the native libraries. */
    static final String RULES = "libraries.pro";

    private Aar() {}

    /**
     * Unpacks every AAR in {@code folder}: its classes into {@code classes}, its libraries and rules for R8 into
     * {@code jni}.
     */
    static void unpackAll(Path folder, Path classes, Path jni) throws IOException {
        List<Path> aars = new ArrayList<>();
        try (DirectoryStream<Path> list = Files.newDirectoryStream(folder, "*.aar")) {
            list.forEach(aars::add);
        }
        Collections.sort(aars);
        if (jni != null) {
            Files.createDirectories(jni);
            Files.deleteIfExists(jni.resolve(RULES));
        }
        for (Path aar : aars) {
            unpack(aar, classes, jni);
        }
    }

    private static void unpack(Path aar, Path classes, Path jni) throws IOException {
        try (ZipFile zip = new ZipFile(aar.toFile())) {
            for (ZipEntry entry : Collections.list(zip.entries())) {
                if (entry.getName().matches("jni/[^/.]+/[^/]+\\.so") && jni != null) {
                    write(jni.resolve(entry.getName().substring(4)), zip.getInputStream(entry));
                } else if (entry.getName().equals("proguard.txt") && jni != null) {
                    Files.write(jni.resolve(RULES), zip.getInputStream(entry).readAllBytes(),
                            StandardOpenOption.CREATE, StandardOpenOption.APPEND);
                } else if (entry.getName().equals("classes.jar")) {
                    unpackClasses(zip.getInputStream(entry), classes);
                }
            }
        }
    }

    private static void unpackClasses(InputStream jar, Path classes) throws IOException {
        ZipInputStream in = new ZipInputStream(jar);
        for (ZipEntry entry; (entry = in.getNextEntry()) != null; ) {
            Path target = classes.resolve(entry.getName()).normalize();
            if (entry.getName().endsWith(".class") && target.startsWith(classes.normalize())) {
                write(target, in);
            }
        }
    }

    private static void write(Path file, InputStream in) throws IOException {
        Files.createDirectories(file.getParent());
        Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
    }
}
