package org.sqzkit.demo.phone;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * Makes the APK's x86_64 library loadable by this desktop JVM.
 *
 * <p>The copy keeps the library's code and data. Its list of needed libraries and symbol versions
 * is taken out, and the names of the eight C functions whose meaning differs between Android's and
 * the desktop's C library lose their first letters; test/native/bionic_shim.c has those.
 */
final class PhoneLibrary {
    /** How many letters each name loses: none of what is left is another function's name. */
    private static final Map<String, Integer> CUT = Map.of("sysconf", 1, "fprintf", 3, "vfprintf", 5,
            "fputc", 2, "fwrite", 3, "fflush", 2, "fclose", 2, "fileno", 2);

    private static final int PT_DYNAMIC = 2;
    private static final long DT_NEEDED = 1;
    private static final long DT_HASH = 4;
    private static final long DT_STRTAB = 5;
    private static final long DT_SYMTAB = 6;
    private static final long IGNORED = 0x6ffff000L;

    private final byte[] elf;
    private final ByteBuffer file;
    private int dynamic;
    private int dynamicEnd;

    private PhoneLibrary(byte[] elf) {
        this.elf = elf;
        file = ByteBuffer.wrap(elf).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Writes the copy and the shim into {@code folder}; returns the shim, to be loaded first. */
    static Path prepare(byte[] library, Path folder) throws IOException, InterruptedException {
        Files.createDirectories(folder);
        Path shim = folder.resolve("liblog.so");
        Process compiler = new ProcessBuilder("cc", "-O1", "-shared", "-fPIC", "-o", shim.toString(),
                "-Wl,-soname,liblog.so", "src/test/native/bionic_shim.c",
                "-Wl,--no-as-needed", "-lm", "-ldl").inheritIO().start();
        if (compiler.waitFor() != 0) {
            throw new IOException("cc cannot compile the shim");
        }
        PhoneLibrary copy = new PhoneLibrary(library);
        copy.patch();
        Files.write(folder.resolve("libtensorflowlite_jni.so"), copy.elf);
        return shim;
    }

    private void patch() {
        findDynamic();
        int strings = (int) value(DT_STRTAB); // in the first segment address and offset are equal
        int symbols = (int) value(DT_SYMTAB);
        int count = file.getInt((int) value(DT_HASH) + 4);
        for (int at = dynamic; at < dynamicEnd; at += 16) {
            long tag = file.getLong(at);
            boolean version = tag == 0x6ffffff0L || tag >= 0x6ffffffcL && tag <= 0x6fffffffL;
            boolean foreign = tag == DT_NEEDED
                    && !text(strings + (int) file.getLong(at + 8)).equals("liblog.so");
            if (version || foreign) {
                file.putLong(at, IGNORED);
            }
        }
        for (int i = 1; i < count; i++) {
            int at = symbols + 24 * i;
            Integer letters = CUT.get(text(strings + file.getInt(at)));
            boolean imported = file.getShort(at + 6) == 0;
            if (letters != null && imported) {
                file.putInt(at, file.getInt(at) + letters);
            }
        }
    }

    private void findDynamic() {
        for (int i = 0, at = (int) file.getLong(32); i < file.getShort(56); i++, at += 56) {
            if (file.getInt(at) == PT_DYNAMIC) {
                dynamic = (int) file.getLong(at + 8);
                dynamicEnd = dynamic + (int) file.getLong(at + 32);
            }
        }
    }

    private long value(long tag) {
        for (int at = dynamic; at < dynamicEnd; at += 16) {
            if (file.getLong(at) == tag) {
                return file.getLong(at + 8);
            }
        }
        throw new IllegalStateException("no dynamic entry " + tag);
    }

    private String text(int at) {
        int end = at;
        while (elf[end] != 0) {
            end++;
        }
        return new String(elf, at, end - at, StandardCharsets.ISO_8859_1);
    }
}
