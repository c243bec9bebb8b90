package org.sqzkit.demo.phone;

import static org.junit.Assert.assertEquals;

import com.github.unidbg.AndroidEmulator;
import com.github.unidbg.Module;
import com.github.unidbg.arm.backend.Unicorn2Factory;
import com.github.unidbg.linux.android.AndroidEmulatorBuilder;
import com.github.unidbg.linux.android.AndroidResolver;
import com.github.unidbg.memory.MemoryBlock;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;

/**
 * One model on an emulated ARM processor: the library out of the APK, Android's own C library
 * below it, TensorFlow Lite's C interface above.
 */
final class EmulatedPhone implements Closeable {
    private static final int ANDROID = 23;

    private final AndroidEmulator emulator;
    private final Module library;
    private final boolean wide;
    private final Object interpreter;
    private final int inputBytes;
    private final int outputBytes;
    private final MemoryBlock input;
    private final MemoryBlock output;

    /** Loads {@code library}, for arm64 if {@code wide}, and prepares {@code model} for one thread. */
    EmulatedPhone(Path library, boolean wide, byte[] model) {
        this.wide = wide;
        AndroidEmulatorBuilder builder =
                wide ? AndroidEmulatorBuilder.for64Bit() : AndroidEmulatorBuilder.for32Bit();
        emulator = builder.addBackendFactory(new Unicorn2Factory(false)).build();
        emulator.getMemory().setLibraryResolver(new AndroidResolver(ANDROID));
        this.library = emulator.loadLibrary(library.toFile(), true);
        MemoryBlock content = emulator.getMemory().malloc(model.length + 64, true);
        content.getPointer().write(0, model, 0, model.length);
        Object loaded = call("TfLiteModelCreate", content.getPointer(), model.length);
        Object options = call("TfLiteInterpreterOptionsCreate");
        call("TfLiteInterpreterOptionsSetNumThreads", options, 1);
        interpreter = call("TfLiteInterpreterCreate", loaded, options);
        assertEquals(0, status("TfLiteInterpreterAllocateTensors", interpreter));
        inputBytes = status("TfLiteTensorByteSize", inputTensor());
        outputBytes = status("TfLiteTensorByteSize", outputTensor());
        input = emulator.getMemory().malloc(inputBytes, true);
        output = emulator.getMemory().malloc(outputBytes, true);
    }

    /** Runs the model on the bytes of an input tensor; returns those of the output tensor. */
    byte[] run(byte[] values) {
        assertEquals(inputBytes, values.length);
        input.getPointer().write(0, values, 0, values.length);
        assertEquals(0, status("TfLiteTensorCopyFromBuffer", inputTensor(), input.getPointer(), inputBytes));
        assertEquals(0, status("TfLiteInterpreterInvoke", interpreter));
        assertEquals(0, status("TfLiteTensorCopyToBuffer", outputTensor(), output.getPointer(), outputBytes));
        return output.getPointer().getByteArray(0, outputBytes);
    }

    private Object inputTensor() {
        return call("TfLiteInterpreterGetInputTensor", interpreter, 0);
    }

    private Object outputTensor() {
        return call("TfLiteInterpreterGetOutputTensor", interpreter, 0);
    }

    private Object call(String function, Object... arguments) {
        Number result = library.callFunction(emulator, function, arguments);
        return wide ? (Object) result.longValue() : (Object) result.intValue();
    }

    private int status(String function, Object... arguments) {
        return library.callFunction(emulator, function, arguments).intValue();
    }

    @Override
    public void close() throws IOException {
        emulator.close();
    }
}
