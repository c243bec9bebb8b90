package org.tensorflow.lite;

/**
 * The version of TensorFlow Lite's native library.
 *
 * <p>In its package, because the class that knows it is not public. {@link TensorFlowLite#runtimeVersion()}
 * finds it by reflection, with messages for libraries that this app does not use.
 */
public final class RuntimeVersion {
    private RuntimeVersion() {}

    /** Returns it, such as "2.16.1". */
    public static String get() {
        return new InterpreterFactoryImpl().runtimeVersion();
    }
}
