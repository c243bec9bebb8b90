package org.sqzkit.demo.model;

import org.sqzkit.teach.Graph;

/**
 * What the file says about one tensor.
 *
 * @param type one of the {@code TYPES}, or "type N"
 * @param scale, zeroPoint real = (stored - zeroPoint) * scale; scale 0 where it is not quantized
 */
record TensorInfo(int[] shape, String type, float scale, int zeroPoint) {

    static final String FLOAT32 = "float32";
    static final String UINT8 = "uint8";
    static final String INT8 = "int8";

    private static final int MAX_SHOWN = 8;

    private static final String[] TYPES = {FLOAT32, "float16", "int32", UINT8, "int64", "string",
        "bool", "int16", "complex64", INT8, "float64", "complex128", "uint64", "resource",
        "variant", "uint32", "uint16", "int4"};

    static TensorInfo of(Graph.Tensor tensor) {
        int type = tensor.type;
        String name = type >= 0 && type < TYPES.length ? TYPES[type] : "type " + type;
        return new TensorInfo(tensor.shape, name, tensor.scales.length == 0 ? 0 : tensor.scales[0],
                (int) tensor.zero);
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
