package org.sqzkit.demo.model;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Writes a picture's bytes as the model's input tensor.
 *
 * <p>uint8 models get the pixel itself whatever their metadata says, as every runtime that reads
 * metadata does; int8 and float32 models get the stated arithmetic, int8 without a statement the
 * pixel less 128.
 */
final class InputEncoder {
    private final boolean real;
    private final boolean planar;
    private final float[][] values = new float[3][256];
    private final byte[][] stored = new byte[3][256];
    private final ByteBuffer buffer;

    InputEncoder(ModelFile model) {
        TensorInfo input = model.input;
        real = input.type().equals(TensorInfo.FLOAT32);
        planar = model.planar();
        buffer = ByteBuffer.allocateDirect(input.count() * (real ? 4 : 1))
                .order(ByteOrder.nativeOrder());
        for (int channel = 0; channel < 3; channel++) {
            for (int pixel = 0; pixel < 256; pixel++) {
                values[channel][pixel] = model.normalization.apply(channel, pixel);
                stored[channel][pixel] = (byte) quantize(model, channel, pixel);
            }
        }
    }

    private int quantize(ModelFile model, int channel, int pixel) {
        if (model.input.type().equals(TensorInfo.UINT8)) {
            return pixel;
        }
        if (model.metadata.normalization() == null) {
            return pixel - 128;
        }
        double steps = Math.rint(values[channel][pixel] / model.input.scale());
        return (int) Math.max(-128, Math.min(127, steps + model.input.zeroPoint()));
    }

    /** Encodes RGB bytes, row after row; the buffer is the same one each time. */
    ByteBuffer encode(byte[] picture) {
        ((Buffer) buffer).rewind();
        if (planar) {
            for (int channel = 0; channel < 3; channel++) {
                for (int i = channel; i < picture.length; i += 3) {
                    put(channel, picture[i] & 255);
                }
            }
        } else {
            for (int i = 0, channel = 0; i < picture.length; i++) {
                put(channel, picture[i] & 255);
                channel = channel == 2 ? 0 : channel + 1;
            }
        }
        ((Buffer) buffer).rewind();
        return buffer;
    }

    private void put(int channel, int pixel) {
        if (real) {
            buffer.putFloat(values[channel][pixel]);
        } else {
            buffer.put(stored[channel][pixel]);
        }
    }
}
