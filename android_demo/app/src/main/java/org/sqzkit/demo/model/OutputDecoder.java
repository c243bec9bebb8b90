package org.sqzkit.demo.model;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Reads the output tensor as probabilities. */
final class OutputDecoder {
    private final TensorInfo output;
    private final boolean probabilities;
    private final ByteBuffer buffer;

    OutputDecoder(ModelFile model) {
        output = model.output;
        probabilities = model.probabilities;
        int size = output.type().equals(TensorInfo.FLOAT32) ? 4 : 1;
        buffer = ByteBuffer.allocateDirect(output.count() * size).order(ByteOrder.nativeOrder());
    }

    /** The buffer for the interpreter to write into. */
    ByteBuffer buffer() {
        ((Buffer) buffer).rewind();
        return buffer;
    }

    /** Returns one value for each class; where the graph does not, softmax is applied here. */
    float[] probabilities() {
        float[] values = new float[output.count()];
        for (int i = 0; i < values.length; i++) {
            values[i] = value(i);
        }
        return probabilities ? values : softmax(values);
    }

    private float value(int i) {
        if (output.type().equals(TensorInfo.FLOAT32)) {
            return buffer.getFloat(4 * i);
        }
        int step = output.type().equals(TensorInfo.UINT8) ? buffer.get(i) & 255 : buffer.get(i);
        return (step - output.zeroPoint()) * output.scale();
    }

    private static float[] softmax(float[] scores) {
        float highest = Float.NEGATIVE_INFINITY;
        for (float score : scores) {
            highest = Math.max(highest, score);
        }
        double sum = 0;
        double[] powers = new double[scores.length];
        for (int i = 0; i < scores.length; i++) {
            powers[i] = Math.exp(scores[i] - highest);
            sum += powers[i];
        }
        float[] out = new float[scores.length];
        for (int i = 0; i < scores.length; i++) {
            out[i] = (float) (powers[i] / sum);
        }
        return out;
    }
}
