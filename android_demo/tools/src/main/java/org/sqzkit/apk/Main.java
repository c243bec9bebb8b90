package org.sqzkit.apk;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Builds an APK without Gradle or an installed Android SDK.
 *
 * <p>{@code resources} unpacks the libraries and links resources and assets, {@code package} turns
 * classes into a signed APK, {@code all} does both with the compilation in between (for Bazel).
 */
public final class Main {
    private Main() {}

    /** Runs one step: {@code resources|package|all name=value...}. */
    public static void main(String[] arguments) {
        try {
            run(arguments);
        } catch (BuildException | IOException e) {
            System.err.println("error: " + e.getMessage());
            System.exit(1);
        }
    }

    private static void run(String[] arguments) throws BuildException, IOException {
        Options options = new Options(arguments, 1);
        String step = arguments[0];
        if (!List.of("resources", "package", "all").contains(step)) {
            throw new BuildException("step '" + step + "': must be resources, package or all");
        }
        if (!step.equals("package")) {
            resources(options);
        }
        if (step.equals("all")) {
            Compiler.compile(options);
        }
        if (!step.equals("resources")) {
            pack(options);
        }
    }

    private static void resources(Options options) throws BuildException, IOException {
        Path work = options.path("work");
        Aar.unpackAll(options.path("aars"), options.path("classes"), work.resolve("jni"));
        if (Files.isDirectory(Path.of(options.get("testAars", "none")))) {
            Aar.unpackAll(options.path("testAars"), options.path("testClasses"), null);
        }
        Path assets = work.resolve("assets");
        Aapt2.gatherAssets(options, assets);
        new Aapt2(options.path("apktool"), work).link(options, assets, work.resolve("linked.apk"));
    }

    private static void pack(Options options) throws BuildException, IOException {
        Path work = options.path("work");
        Path unsigned = work.resolve("unsigned.apk");
        try (ApkWriter apk = new ApkWriter(unsigned)) {
            apk.addLinked(work.resolve("linked.apk"));
            List<Path> rules = List.of(work.resolve(Aapt2.RULES), work.resolve("jni").resolve(Aar.RULES));
            for (Path dex : Compiler.dex(options, rules, work.resolve("dex"))) {
                apk.add(dex.getFileName().toString(), Files.readAllBytes(dex), false);
            }
            for (String abi : options.list("abis")) {
                addLibraries(apk, abi, work.resolve("jni").resolve(abi));
            }
        }
        Path out = options.path("out");
        Files.createDirectories(out.toAbsolutePath().getParent());
        Signer.open(System.getenv(), options.path("debugKeystore"))
                .sign(unsigned.toFile(), out.toFile(), options.number("minSdk"));
        System.out.println(out + ": " + Files.size(out) + " bytes, signed");
    }

    private static void addLibraries(ApkWriter apk, String abi, Path folder)
            throws BuildException, IOException {
        if (!Files.isDirectory(folder)) {
            throw new BuildException("abi " + abi + ": must be one TensorFlow Lite has a library for");
        }
        List<Path> libraries = new ArrayList<>();
        try (Stream<Path> list = Files.list(folder)) {
            list.sorted().forEach(libraries::add);
        }
        for (Path library : libraries) {
            byte[] elf = Files.readAllBytes(library);
            boolean unaligned = ElfAligner.is64Bit(elf) && !ElfAligner.isAligned(elf);
            byte[] aligned = unaligned ? ElfAligner.align(elf)
                    : ElfPacker.is32Bit(elf) ? ElfPacker.pack(elf) : elf;
            if (aligned == null) {
                System.out.println(abi + ": 4 KB segments stay (16 KB-page systems use compatibility mode)");
            }
            String name = "lib/" + abi + "/" + library.getFileName();
            apk.add(name, aligned == null ? elf : aligned, true);
        }
    }
}
