package org.sqzkit.apk;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/** The resource compiler and the framework's resources, both carried by apktool's jar. */
final class Aapt2 {
    /** Files whose bytes the app maps or that are compressed already. */
    private static final String[] STORED = {"tflite", "sqz", "png", "jpg"};

    /** Which classes manifest and layouts name, for R8; lies beside what is linked. */
    static final String RULES = "resources.pro";

    private final Path program;
    private final Path framework;

    /** Takes the program for this operating system out of {@code apktool} into {@code work}. */
    Aapt2(Path apktool, Path work) throws IOException {
        Files.createDirectories(work);
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String name = system.contains("win") ? "windows/aapt2.exe"
                : system.contains("mac") ? "macosx/aapt2" : "linux/aapt2";
        program = work.resolve(Path.of(name).getFileName());
        framework = work.resolve("android-framework.jar");
        try (FileSystem zip = FileSystems.newFileSystem(apktool, (ClassLoader) null)) {
            copy(zip.getPath("prebuilt/" + name), program);
            copy(zip.getPath("prebuilt/android-framework.jar"), framework);
        }
        if (!program.toFile().setExecutable(true)) {
            throw new IOException(program + " cannot be made executable");
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        Files.copy(from, to, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Compiles {@code res} and links it with manifest and assets into {@code out}; R.java goes to {@code gen}. */
    void link(Options options, Path assets, Path out) throws IOException, BuildException {
        Path flat = out.resolveSibling("res.zip");
        Path named = out.resolveSibling("named.apk");
        Path unnamed = out.resolveSibling("unnamed.apk");
        run(List.of(program.toString(), "compile", "--dir", options.get("res"), "-o", flat.toString()));
        Files.createDirectories(options.path("gen"));
        List<String> command = new ArrayList<>(List.of(program.toString(), "link",
                "-I", framework.toString(), "--manifest", options.get("manifest"),
                "-A", assets.toString(), "--java", options.get("gen"),
                // Android finds attributes by number; their namespaces would only take room.
                "--no-xml-namespaces",
                "--proguard", out.resolveSibling(RULES).toString(),
                "--min-sdk-version", options.get("minSdk"),
                "--target-sdk-version", options.get("targetSdk"),
                "--version-code", options.get("versionCode"),
                "--version-name", options.get("versionName"), "-o", named.toString()));
        for (String ending : STORED) {
            command.addAll(List.of("-0", ending));
        }
        command.add(flat.toString());
        run(command);
        // The code names resources by number, so their own names would only take room.
        run(List.of(program.toString(), "optimize", "--collapse-resource-names",
                "--deduplicate-entry-values", "--shorten-resource-paths",
                "-o", unnamed.toString(), named.toString()));
        withoutAttributeNames(unnamed, out);
    }

    private static void withoutAttributeNames(Path from, Path to) throws IOException {
        try (ZipFile in = new ZipFile(from.toFile());
                ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(to))) {
            for (ZipEntry entry : Collections.list(in.entries())) {
                byte[] bytes = in.getInputStream(entry).readAllBytes();
                if (entry.getName().matches("res/.*[.]xml")) {
                    bytes = CompiledXml.withoutAttributeNames(bytes);
                }
                ZipEntry written = new ZipEntry(entry.getName());
                written.setMethod(entry.getMethod());
                written.setSize(bytes.length);
                CRC32 crc = new CRC32();
                crc.update(bytes);
                written.setCrc(crc.getValue());
                out.putNextEntry(written);
                out.write(bytes);
            }
        }
    }

    private static void run(List<String> command) throws IOException, BuildException {
        try {
            if (new ProcessBuilder(command).inheritIO().start().waitFor() != 0) {
                throw new BuildException("failed: " + String.join(" ", command));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BuildException("interrupted", e);
        }
    }

    /** Puts the app's own assets, the given models and the key of updates together in {@code out}, which is emptied first. */
    static void gatherAssets(Options options, Path out) throws IOException, BuildException {
        delete(out);
        Path own = options.path("assets");
        List<String> models = options.list("models");
        try (Stream<Path> files = Files.walk(own)) {
            for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                Path name = own.relativize(file);
                if (models.isEmpty() || !name.startsWith("models")) {
                    put(file, out.resolve(name));
                }
            }
        }
        for (String model : models) {
            Path file = Path.of(options.get("base", "")).resolve(model);
            if (!Files.isRegularFile(file) || !model.matches(".*\\.(tflite|sqz)")) {
                throw new BuildException("model " + file + ": must be an existing .tflite or .sqz file");
            }
            put(file, out.resolve("models").resolve(file.getFileName()));
        }
        String key = options.get("updateKey", null);
        if (key != null) {
            Files.write(out.resolve("update.der"),
                    UpdateKey.read(Path.of(options.get("base", "")).resolve(key)));
        }
        if (!Files.isDirectory(out.resolve("models"))) {
            throw new BuildException("no model to bundle: give -Dmodel=PATH of a .tflite or .sqz file");
        }
    }

    private static void put(Path from, Path to) throws IOException {
        Files.createDirectories(to.getParent());
        copy(from, to);
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted((a, b) -> b.compareTo(a)).forEach(file -> {
                try {
                    Files.delete(file);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
    }
}
