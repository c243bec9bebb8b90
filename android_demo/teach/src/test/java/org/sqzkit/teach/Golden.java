package org.sqzkit.teach;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;

/** The golden vectors that the Python tests read too, and made photographs. */
final class Golden {
    static final byte[] DIGEST = new byte[32];

    private static final Path FOLDER =
            Paths.get(System.getProperty("golden", "../../tests/golden/teaching"));

    private Golden() {}

    static Map<?, ?> index() throws IOException {
        return Json.parse(new String(bytes("index.json"), StandardCharsets.UTF_8));
    }

    static byte[] bytes(String file) throws IOException {
        return Files.readAllBytes(FOLDER.resolve(file));
    }

    static Head head(String name) throws IOException {
        return HeadFile.read(bytes(name + ".head"));
    }

    /** Makes the checksum of a changed file right again. */
    static byte[] signed(byte[] content) throws Exception {
        int end = content.length - 32;
        byte[] sum = MessageDigest.getInstance("SHA-256").digest(Arrays.copyOf(content, end));
        System.arraycopy(sum, 0, content, end, 32);
        return content;
    }

    /** Returns photographs of a class: a centre of its own, and noise. */
    static short[][] photographs(int size, int count, int seed) {
        Random random = new Random(seed);
        double[] centre = random.doubles(size).map(value -> 1500 * value).toArray();
        short[][] found = new short[count][size];
        for (short[] features : found) {
            for (int i = 0; i < size; i++) {
                features[i] = (short) Math.max(0, centre[i] + 400 * random.nextGaussian());
            }
        }
        return found;
    }

    static void add(Head head, String label, short[]... photographs) throws HeadException {
        for (short[] features : photographs) {
            head.add(label, features);
        }
    }
}
