package org.sqzkit.demo.phone;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotEquals;

import com.github.unidbg.AndroidEmulator;
import com.github.unidbg.Module;
import com.github.unidbg.arm.backend.Unicorn2Factory;
import com.github.unidbg.file.FileResult;
import com.github.unidbg.file.IOResolver;
import com.github.unidbg.file.linux.AndroidFileIO;
import com.github.unidbg.linux.android.AndroidEmulatorBuilder;
import com.github.unidbg.linux.android.AndroidResolver;
import com.github.unidbg.linux.file.ByteArrayFileIO;
import com.github.unidbg.memory.MemoryBlock;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/**
 * One model on an emulated ARM processor: the library out of the APK, Android's own C library
 * below it, TensorFlow Lite's C interface above.
 */
final class EmulatedPhone implements Closeable {
    private static final int ANDROID = 23;

    /** Processors of phones, by the number that XNNPACK chooses kernels by. */
    enum Processor {
        /** Has no instruction for dot products. */
        CORTEX_A53("0xd03"),
        /** Has SDOT, as the large cores of phones since 2018 have. */
        CORTEX_A76("0xd0b");

        private final String part;

        Processor(String part) {
            this.part = part;
        }

        /** What XNNPACK reads to learn what the processor can do. */
        private Map<String, String> systemFiles() {
            return Map.of(
                    "/sys/devices/system/cpu/possible", "0\n",
                    "/sys/devices/system/cpu/present", "0\n",
                    "/proc/cpuinfo", "processor\t: 0\n"
                            + "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32\n"
                            + "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n"
                            + "CPU part\t: " + part + "\nCPU revision\t: 4\n\n");
        }
    }

    private final AndroidEmulator emulator;
    private final Module library;
    private final boolean wide;
    private final Object interpreter;
    private final int inputBytes;
    private final int outputBytes;
    private final MemoryBlock input;
    private final MemoryBlock output;
    private final InstructionCounter counter = new InstructionCounter();

    /**
     * Loads a library and prepares a model for one thread.
     *
     * @param library TensorFlow Lite, for arm64 if {@code wide}
     * @param xnnpack whether XNNPACK's kernels are used where they can be
     */
    EmulatedPhone(Path library, boolean wide, byte[] model, boolean xnnpack) {
        this(library, wide, model, xnnpack, Processor.CORTEX_A53, false);
    }

    /** The same for a given arm64 processor, with XNNPACK; {@link #instructions} counts. */
    EmulatedPhone(Path library, byte[] model, Processor processor) {
        this(library, true, model, true, processor, true);
    }

    private EmulatedPhone(Path library, boolean wide, byte[] model, boolean xnnpack,
            Processor processor, boolean counting) {
        this.wide = wide;
        AndroidEmulatorBuilder builder =
                wide ? AndroidEmulatorBuilder.for64Bit() : AndroidEmulatorBuilder.for32Bit();
        emulator = builder.addBackendFactory(new Unicorn2Factory(false)).build();
        emulator.getSyscallHandler().addIOResolver((IOResolver<AndroidFileIO>) (same, path, flags) ->
                systemFile(processor, path, flags));
        if (counting) { // before anything is run: code that was translated before is not counted
            emulator.getBackend().hook_add_new(counter, 1, 0, null);
        }
        emulator.getMemory().setLibraryResolver(new AndroidResolver(ANDROID));
        this.library = emulator.loadLibrary(library.toFile(), true);
        MemoryBlock content = emulator.getMemory().malloc(model.length + 64, true);
        content.getPointer().write(0, model, 0, model.length);
        Object loaded = call("TfLiteModelCreate", content.getPointer(), model.length);
        Object options = call("TfLiteInterpreterOptionsCreate");
        call("TfLiteInterpreterOptionsSetNumThreads", options, 1);
        if (xnnpack) {
            Object delegate = call("TfLiteXNNPackDelegateCreate", wide ? (Object) 0L : (Object) 0);
            call("TfLiteInterpreterOptionsAddDelegate", options, delegate);
        }
        interpreter = call("TfLiteInterpreterCreate", loaded, options);
        assertNotEquals("no interpreter", 0, ((Number) interpreter).longValue());
        assertEquals(0, status("TfLiteInterpreterAllocateTensors", interpreter));
        inputBytes = status("TfLiteTensorByteSize", inputTensor());
        outputBytes = status("TfLiteTensorByteSize", outputTensor());
        input = emulator.getMemory().malloc(inputBytes, true);
        output = emulator.getMemory().malloc(outputBytes, true);
    }

    private static FileResult<AndroidFileIO> systemFile(Processor processor, String path, int flags) {
        String content = processor.systemFiles().get(path);
        return content == null ? null : FileResult.success(
                new ByteArrayFileIO(flags, path, content.getBytes(StandardCharsets.US_ASCII)));
    }

    /** Runs the model on the bytes of an input tensor; returns those of the output tensor. */
    byte[] run(byte[] values) {
        assertEquals(inputBytes, values.length);
        input.getPointer().write(0, values, 0, values.length);
        assertEquals(0, status("TfLiteTensorCopyFromBuffer", inputTensor(), input.getPointer(), inputBytes));
        counter.restart();
        assertEquals(0, status("TfLiteInterpreterInvoke", interpreter));
        counter.stop();
        assertEquals(0, status("TfLiteTensorCopyToBuffer", outputTensor(), output.getPointer(), outputBytes));
        return output.getPointer().getByteArray(0, outputBytes);
    }

    /** Returns how many instructions the last inference took. The first takes more: it prepares the others. */
    long instructions() {
        return counter.instructions();
    }

    /** Returns the bytes of an input. */
    int inputBytes() {
        return inputBytes;
    }

    /** Whether a delegate took over nodes: then TensorFlow Lite keeps no memory for what lies between. */
    boolean delegated() {
        for (int i = 0; ; i++) {
            Object tensor = call("TfLiteInterpreterGetTensor", interpreter, i);
            if (((Number) tensor).longValue() == 0) {
                return false;
            }
            if (((Number) call("TfLiteTensorData", tensor)).longValue() == 0) {
                return true;
            }
        }
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
