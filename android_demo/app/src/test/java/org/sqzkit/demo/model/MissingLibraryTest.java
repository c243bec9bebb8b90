package org.sqzkit.demo.model;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;

import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.sqzkit.demo.R;
import org.sqzkit.demo.phone.Resources;

/** A device whose linker refuses TensorFlow Lite, as one with 16 KB pages may: a error, no crash. */
public class MissingLibraryTest {
    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    /** The app's classes once more, with a library that no linker takes. */
    private static final class OtherDevice extends URLClassLoader {
        private final File library;

        OtherDevice(File library, Class<?>... among) {
            super(places(among), ClassLoader.getPlatformClassLoader());
            this.library = library;
        }

        private static URL[] places(Class<?>... among) {
            URL[] places = new URL[among.length];
            for (int i = 0; i < among.length; i++) {
                places[i] = among[i].getProtectionDomain().getCodeSource().getLocation();
            }
            return places;
        }

        @Override
        protected String findLibrary(String name) {
            return library.getPath();
        }
    }

    @Test
    public void isAnError() throws Exception {
        ByteBuffer content = Resources.direct(Resources.model("colours_int8.tflite"));
        try (OtherDevice device = new OtherDevice(folder.newFile("libtensorflowlite_jni.so"),
                Classifier.class, android.content.Context.class)) {
            Class<?> file = device.loadClass(ModelFile.class.getName());
            Class<?> options = device.loadClass(RunOptions.class.getName());
            Object model = file.getMethod("read", ByteBuffer.class).invoke(null, content);
            Object usual = options.getMethod("defaults").invoke(null);
            Class<?> classifier = device.loadClass(Classifier.class.getName());
            InvocationTargetException thrown = assertThrows(InvocationTargetException.class,
                    () -> classifier.getMethod("open", file, ByteBuffer.class, options)
                            .invoke(null, model, content, usual));
            Throwable error = thrown.getCause();
            Method resource = error.getClass().getMethod("resource");
            assertEquals(error.getMessage(), R.string.error_library, resource.invoke(error));
        }
    }
}
