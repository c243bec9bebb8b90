package org.sqzkit.demo.phone;

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
            byte[] library = Apk.read("lib/x86_64/libtensorflowlite_jni.so");
            System.load(PhoneLibrary.prepare(library, Apk.libraries()).toString());
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
