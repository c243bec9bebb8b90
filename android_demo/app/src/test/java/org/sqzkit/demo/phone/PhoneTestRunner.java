package org.sqzkit.demo.phone;

import java.nio.file.Path;
import java.nio.file.Paths;
import org.junit.runners.model.FrameworkMethod;
import org.junit.runners.model.InitializationError;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.internal.bytecode.InstrumentationConfiguration;

/**
 * Robolectric with the phone's own TensorFlow Lite, x86_64, out of the APK.
 *
 * <p>A JVM loads a native library only once, so its classes stay outside the class loaders that
 * Robolectric makes for each Android version.
 */
public final class PhoneTestRunner extends RobolectricTestRunner {
    static {
        try {
            Path folder = Paths.get("target/phone-lib").toAbsolutePath();
            byte[] library = Apk.read("lib/x86_64/libtensorflowlite_jni.so");
            System.load(PhoneLibrary.prepare(library, folder).toString());
        } catch (Exception e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    public PhoneTestRunner(Class<?> type) throws InitializationError {
        super(type);
    }

    @Override
    protected InstrumentationConfiguration createClassLoaderConfig(FrameworkMethod method) {
        return new InstrumentationConfiguration.Builder(super.createClassLoaderConfig(method))
                .doNotAcquirePackage("org.tensorflow.lite").build();
    }
}
