package org.sqzkit.demo.phone;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.nio.file.Paths;

/** Files that belong to the tests. */
public final class Resources {
    private Resources() {}

    /** A test resource's bytes. */
    public static byte[] read(String name) throws IOException {
        try (InputStream in = Resources.class.getResourceAsStream("/" + name)) {
            if (in == null) {
                throw new IOException("no test resource " + name);
            }
            return in.readAllBytes();
        }
    }

    /** One of the small models of tests/android/make_models.py. */
    public static byte[] model(String name) throws IOException {
        return read("models/" + name);
    }

    /** The same in direct memory, as TensorFlow Lite wants it. */
    public static ByteBuffer direct(byte[] content) {
        ByteBuffer out = ByteBuffer.allocateDirect(content.length)
                .order(java.nio.ByteOrder.nativeOrder());
        out.put(content).rewind();
        return out;
    }

    /** The vectors that Python's tests read too. */
    public static Path golden(String folder) {
        return Paths.get(System.getProperty("sqzkit.golden"), folder);
    }
}
