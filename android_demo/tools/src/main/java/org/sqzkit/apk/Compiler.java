package org.sqzkit.apk;

import com.android.tools.r8.CompilationFailedException;
import com.android.tools.r8.CompilationMode;
import com.android.tools.r8.D8;
import com.android.tools.r8.D8Command;
import com.android.tools.r8.JdkClassFileProvider;
import com.android.tools.r8.OutputMode;
import com.android.tools.r8.R8;
import com.android.tools.r8.R8Command;
import com.android.tools.r8.origin.Origin;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.ToolProvider;

/** Java sources to classes, classes to the phone's dex files. */
final class Compiler {
    /**
     * Names of classes and methods stay, so that what a phone reports can be read. Names of fields and line
     * numbers do not: they would take the APK beyond its limit. Annotations are not needed on a phone.
     */
    private static final List<String> RULES = List.of(
            "-keep,allowshrinking,allowoptimization class ** { <methods>; }",
            "-dontwarn javax.annotation.**,org.checkerframework.**",
            "-keepclasseswithmembers,includedescriptorclasses class * { native <methods>; }",
            // The app gives the interpreter ByteBuffers alone, so R8 leaves out what copies arrays.
            "-assumevalues class org.tensorflow.lite.TensorImpl {"
                    + " private static boolean isBuffer(java.lang.Object) return true;"
                    + " private static boolean isByteBuffer(java.lang.Object) return true; }");

    /**
     * Makes R8 and D8 read dex files without their debug information. R8 numbers the instructions of each
     * method there, for a mapping file that nobody keeps; without the numbers a stack trace gives the
     * instruction itself.
     */
    private static final String NO_DEBUG_INFORMATION = "com.android.tools.r8.nullOutDebugInfo";

    private Compiler() {}

    /** Compiles the sources below the folders {@code java} into {@code classes} (Maven does this itself). */
    static void compile(Options options) throws IOException, BuildException {
        String classes = options.get("classes");
        List<String> arguments = new ArrayList<>(List.of("-source", "17", "-target", "17",
                "-proc:none", "-Xlint:-options", "-encoding", "UTF-8", "-d", classes,
                "-cp", classes + File.pathSeparator + options.get("android")));
        List<String> folders = new ArrayList<>(options.list("java"));
        folders.add(options.get("gen"));
        for (String folder : folders) {
            arguments.addAll(find(Path.of(folder), ".java"));
        }
        int status = ToolProvider.getSystemJavaCompiler()
                .run(null, null, null, arguments.toArray(new String[0]));
        if (status != 0) {
            throw new BuildException("the app's sources do not compile");
        }
    }

    /**
     * Translates what is used of {@code classes} for phones from {@code minSdk} on; returns the dex files in
     * order.
     *
     * @param rules what reflection and native code use: the names of those classes are not in the code
     */
    static List<Path> dex(Options options, List<Path> rules, Path out) throws IOException, BuildException {
        Files.createDirectories(out);
        List<Path> classes = find(options.path("classes"), ".class").stream()
                .map(Path::of).collect(Collectors.toList());
        try {
            R8.run(R8Command.builder()
                    .addProgramFiles(classes)
                    .addLibraryFiles(options.path("android"))
                    .addLibraryResourceProvider(JdkClassFileProvider.fromSystemJdk())
                    .addProguardConfigurationFiles(rules)
                    .addProguardConfiguration(RULES, Origin.unknown())
                    .setMinApiLevel(options.number("minSdk"))
                    .setMode(CompilationMode.RELEASE)
                    .setOutput(out, OutputMode.DexIndexed)
                    .build());
            System.setProperty(NO_DEBUG_INFORMATION, "");
            D8.run(D8Command.builder()
                    .addProgramFiles(dexFiles(out))
                    .setMinApiLevel(options.number("minSdk"))
                    .setMode(CompilationMode.RELEASE)
                    .setOutput(out, OutputMode.DexIndexed)
                    .build());
        } catch (CompilationFailedException e) {
            throw new BuildException("R8 cannot translate the classes: " + e.getMessage(), e);
        }
        return dexFiles(out);
    }

    private static List<Path> dexFiles(Path folder) throws IOException {
        return find(folder, ".dex").stream().map(Path::of).collect(Collectors.toList());
    }

    private static List<String> find(Path folder, String ending) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.map(Path::toString).filter(name -> name.endsWith(ending))
                    .sorted().collect(Collectors.toList());
        }
    }
}
