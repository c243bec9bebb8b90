package org.sqzkit.demo.phone;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Random;
import org.junit.Test;
import org.sqzkit.demo.phone.EmulatedPhone.Processor;

/**
 * XNNPACK's arm64 kernels, on an emulated processor: every quantization, on and off.
 *
 * <p>On 32 bits XNNPACK refuses the emulated processor, or uses instructions that it does not have.
 */
public class XnnpackOnArmTest {
    private static final String[] REAL = {"bare_float", "foreign", "colours_float", "colours_float16",
        "colours_dynamic"};
    private static final String[] QUANTIZED = {"colours_int8", "colours_per_tensor"};
    private static final int VALUES = 32 * 32 * 3;
    private static final double TOLERANCE = 1e-3;

    @Test
    public void changesNoAnswerOfAnyQuantization() throws Exception {
        Path library = Apk.library("arm64-v8a");
        for (String name : REAL) {
            byte[][] answers = answers(name, library, floats());
            for (int i = 0; i < answers[0].length; i += 4) {
                assertEquals(name, real(answers[0], i), real(answers[1], i), TOLERANCE);
            }
        }
        for (String name : QUANTIZED) {
            byte[][] answers = answers(name, library, bytes());
            for (int i = 0; i < answers[0].length; i++) {
                assertEquals(name, answers[0][i], answers[1][i], 1);
            }
        }
    }

    /** Integers are summed exactly, so the kernels with and without dot products agree to the bit. */
    @Test
    public void everyProcessorGivesTheSameAnswer() throws Exception {
        Path library = Apk.library("arm64-v8a");
        for (String name : QUANTIZED) {
            byte[] model = Resources.model(name + ".tflite");
            byte[] expected = null;
            for (Processor processor : Processor.values()) {
                try (EmulatedPhone phone = new EmulatedPhone(library, model, processor)) {
                    byte[] answer = phone.run(bytes());
                    expected = expected == null ? answer : expected;
                    assertArrayEquals(name + " " + processor, expected, answer);
                }
            }
        }
    }

    /** The output tensor without and with XNNPACK. */
    private static byte[][] answers(String name, Path library, byte[] input) throws Exception {
        byte[] model = Resources.model(name + ".tflite");
        byte[][] answers = new byte[2][];
        for (int i = 0; i < 2; i++) {
            try (EmulatedPhone phone = new EmulatedPhone(library, true, model, i == 1)) {
                answers[i] = phone.run(input);
                assertEquals(name + " delegated", i == 1, phone.delegated());
            }
        }
        return answers;
    }

    private static float real(byte[] values, int at) {
        return ByteBuffer.wrap(values).order(ByteOrder.LITTLE_ENDIAN).getFloat(at);
    }

    private static byte[] bytes() {
        byte[] values = new byte[VALUES];
        new Random(1).nextBytes(values);
        return values;
    }

    private static byte[] floats() {
        ByteBuffer values = ByteBuffer.allocate(4 * VALUES).order(ByteOrder.LITTLE_ENDIAN);
        Random random = new Random(1);
        while (values.hasRemaining()) {
            values.putFloat(random.nextInt(256));
        }
        return values.array();
    }
}
