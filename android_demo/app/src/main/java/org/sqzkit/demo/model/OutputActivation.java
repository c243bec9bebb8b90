package org.sqzkit.demo.model;

import java.util.List;
import org.sqzkit.demo.AppError;

/** Finds out whether a model's output is probabilities, or scores that still need a softmax. */
final class OutputActivation {
    private static final int DEQUANTIZE = 6;
    private static final int LOGISTIC = 14;
    private static final int RESHAPE = 22;
    private static final int SOFTMAX = 25;
    private static final int QUANTIZE = 114;

    private OutputActivation() {}

    /** Follows tensor {@code output} back through operators that only change how it is stored. */
    static boolean isProbabilities(FlatBufferTable model, FlatBufferTable graph, int output) throws AppError {
        List<FlatBufferTable> codes = model.tables(1);
        List<FlatBufferTable> operators = graph.tables(3);
        int tensor = output;
        for (int i = operators.size() - 1; i >= 0; i--) {
            FlatBufferTable operator = operators.get(i);
            if (!contains(operator.ints(2), tensor)) {
                continue;
            }
            int code = code(codes, operator.number(0, 4, 0));
            if (code == SOFTMAX || code == LOGISTIC) {
                return true;
            }
            int[] inputs = operator.ints(1);
            boolean passing = code == QUANTIZE || code == DEQUANTIZE || code == RESHAPE;
            if (!passing || inputs.length == 0) {
                return false;
            }
            tensor = inputs[0];
        }
        return false;
    }

    private static int code(List<FlatBufferTable> codes, long index) throws AppError {
        if (index < 0 || index >= codes.size()) {
            return -1;
        }
        FlatBufferTable code = codes.get((int) index);
        // Old files have only the first field, which is a byte.
        return (int) Math.max(code.number(0, 1, 0), code.number(3, 4, 0));
    }

    private static boolean contains(int[] values, int value) {
        for (int candidate : values) {
            if (candidate == value) {
                return true;
            }
        }
        return false;
    }
}
