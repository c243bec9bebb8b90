package org.sqzkit.demo.phone;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.Test;
import org.sqzkit.apk.FileOrder;

/** What app stores read in the APK, what phones load from it, and its size. */
public class ApkTest {
    /** For the two ABIs that `make apk` builds. */
    private static final int MAX_BYTES = 6_200_000;

    private static String badging() throws Exception {
        Process aapt2 = new ProcessBuilder("target/apk/aapt2", "dump", "badging", Apk.file().getPath())
                .redirectErrorStream(true).start();
        return new String(aapt2.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    /** The camera permission alone would imply a back camera with autofocus. */
    @Test
    public void noDeviceIsExcludedForItsCamera() throws Exception {
        String badging = badging();
        assertTrue(badging, badging.contains("package: name='org.sqzkit.demo'"));
        assertFalse(badging, badging.contains("uses-implied-feature: name='android.hardware.camera"));
        for (String feature : new String[] {"camera", "camera.any", "camera.autofocus"}) {
            assertTrue(feature, badging.contains(
                    "uses-feature-not-required: name='android.hardware." + feature + "'"));
        }
    }

    /** R8 leaves out what the code does not name: manifest, layouts, reflection and native code name classes, too. */
    @Test
    public void whatOnlyOthersNameIsInTheApk() throws Exception {
        Set<String> needed = new TreeSet<>(List.of("org.tensorflow.lite.InterpreterFactoryImpl"));
        String manifest = Files.readString(Path.of("src/main/AndroidManifest.xml"));
        find("android:name=\"(\\.\\w+)\"", manifest, name -> needed.add("org.sqzkit.demo" + name));
        try (Stream<Path> layouts = Files.list(Path.of("src/main/res/layout"))) {
            for (Path layout : (Iterable<Path>) layouts::iterator) {
                find("<(org\\.sqzkit[\\w.]+)", Files.readString(layout), needed::add);
            }
        }
        String library = new String(
                Apk.read("lib/x86_64/libtensorflowlite_jni.so"), StandardCharsets.ISO_8859_1);
        find("\0Java_(org_tensorflow_lite_[A-Za-z]+)_[a-zA-Z]+\0", library,
                name -> needed.add(name.replace('_', '.')));
        assertTrue(needed.toString(), needed.containsAll(List.of("org.sqzkit.demo.MainActivity",
                "org.sqzkit.demo.ui.FlowLayout", "org.tensorflow.lite.NativeInterpreterWrapper")));
        needed.removeAll(classes(Apk.read("classes.dex")));
        assertEquals("not in classes.dex", Set.of(), needed);
    }

    /** Numbers for a mapping file that nobody keeps: the build switches them off by an internal option of R8. */
    @Test
    public void thereIsNoDebugInformation() throws Exception {
        byte[] dex = Apk.read("classes.dex");
        ByteBuffer file = ByteBuffer.wrap(dex).order(ByteOrder.LITTLE_ENDIAN);
        int map = file.getInt(0x34);
        Set<Integer> kinds = new TreeSet<>();
        for (int i = 0; i < file.getInt(map); i++) {
            kinds.add((int) file.getShort(map + 4 + 12 * i));
        }
        int code = 0x2001;
        int debugInformation = 0x2003;
        assertTrue(kinds.toString(), kinds.contains(code) && !kinds.contains(debugInformation));
    }

    private static void find(String pattern, String text, Consumer<String> found) {
        for (Matcher matcher = Pattern.compile(pattern).matcher(text); matcher.find(); ) {
            found.accept(matcher.group(1));
        }
    }

    /** Returns the classes that a dex file defines. */
    private static Set<String> classes(byte[] dex) {
        ByteBuffer file = ByteBuffer.wrap(dex).order(ByteOrder.LITTLE_ENDIAN);
        Set<String> classes = new TreeSet<>();
        for (int i = 0; i < file.getInt(0x60); i++) {
            int type = file.getInt(file.getInt(0x64) + 32 * i);
            int string = file.getInt(file.getInt(0x44) + 4 * type);
            int at = file.getInt(file.getInt(0x3c) + 4 * string);
            int length = dex[at]; // names of 128 letters and more are none of ours
            String descriptor = new String(dex, at + 1, Math.max(length, 0), StandardCharsets.UTF_8);
            classes.add(descriptor.replaceAll("^L|;$", "").replace('/', '.'));
        }
        return classes;
    }

    /** Bytes of the files in their order, and of the directory behind them. */
    private static long size(List<FileOrder.Entry> files) {
        return FileOrder.end(FileOrder.of(files)) + 22
                + files.stream().mapToInt(file -> 46 + file.name().length()).sum();
    }

    /** Bytes of the block of signatures, which says so before its last 16 bytes. */
    private static long signatureSize() throws Exception {
        byte[] apk = Files.readAllBytes(Apk.file().toPath());
        int end = new String(apk, StandardCharsets.ISO_8859_1).lastIndexOf("APK Sig Block 42");
        return 8 + ByteBuffer.wrap(apk).order(ByteOrder.LITTLE_ENDIAN).getLong(end - 8);
    }

    /** The same sum gives the length of this APK of three ABIs, and what `make apk` builds. */
    @Test
    public void theApkForPhonesIsSmall() throws Exception {
        List<FileOrder.Entry> files = new ArrayList<>();
        try (ZipFile zip = new ZipFile(Apk.file())) {
            zip.stream().forEach(file -> files.add(new FileOrder.Entry(file.getName(),
                    (int) file.getCompressedSize(), file.getMethod() == ZipEntry.STORED)));
        }
        long signature = signatureSize();
        assertEquals(Apk.file().length(), size(files) + signature);
        assertTrue(files.removeIf(file -> file.name().startsWith("lib/x86_64/")));
        assertEquals(2, files.stream().filter(file -> file.name().startsWith("lib/")).count());
        long phones = size(files) + signature;
        assertTrue(phones + " bytes", phones <= MAX_BYTES);
    }
}
