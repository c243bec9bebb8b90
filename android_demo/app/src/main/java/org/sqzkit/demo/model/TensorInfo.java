package org.sqzkit.demo.model;

import org.sqzkit.demo.AppError;

/**
 * What the file says about one tensor.
 *
 * @param type one of the {@code TYPES}, or "type N"
 * @param buffer where its values are, for weights
 * @param scale, zeroPoint real = (stored - zeroPoint) * scale; scale 0 where it is not quantized
 * @param scales how many scales it has: 1, or one for each channel
 */
record TensorInfo(
        String name, int[] shape, String type, int buffer, float scale, int zeroPoint, int scales) {

    static final String FLOAT32 = "float32";
    static final String UINT8 = "uint8";
    static final String INT8 = "int8";

    private static final int MAX_SHOWN = 8;

    private static final String[] TYPES = {FLOAT32, "float16", "int32", UINT8, "int64", "string",
        "bool", "int16", "complex64", INT8, "float64", "complex128", "uint64", "resource",
        "variant", "uint32", "uint16", "int4"};

    static TensorInfo of(FlatBufferTable tensor) throws AppError {
        int type = (int) tensor.number(1, 1, 0);
        String name = type >= 0 && type < TYPES.length ? TYPES[type] : "type " + type;
        FlatBufferTable quantization = tensor.table(4);
        float[] scales = quantization == null ? new float[0] : quantization.floats(2);
        long[] zeros = quantization == null ? new long[0] : quantization.longs(3);
        return new TensorInfo(tensor.text(3), tensor.ints(0), name, (int) tensor.number(2, 4, 0),
                scales.length == 0 ? 0 : scales[0], zeros.length == 0 ? 0 : (int) zeros[0],
                scales.length);
    }

    /** Number of values; at least {@code Long.MAX_VALUE / 2} if there are more than fit a long. */
    long values() {
        long count = 1;
        for (int length : shape) {
            count *= Math.max(length, 0);
            if (count > Integer.MAX_VALUE) {
                return Long.MAX_VALUE / 2;
            }
        }
        return count;
    }

    /** Number of values; 0 if there are more than {@code Integer.MAX_VALUE}. */
    int count() {
        long values = values();
        return values > Integer.MAX_VALUE ? 0 : (int) values;
    }

    /** "1×227×227×3"; only the first dimensions if there are very many. */
    String shapeText() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < Math.min(shape.length, MAX_SHOWN); i++) {
            text.append(i == 0 ? "" : "×").append(shape[i]);
        }
        return text.append(shape.length > MAX_SHOWN ? "×…" : "").toString();
    }
}
