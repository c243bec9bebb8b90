package org.sqzkit.demo.model;

import java.util.Arrays;
import java.util.List;
import org.sqzkit.teach.Graph;

/** Finds out whether a model's output is probabilities, or scores that still need a softmax. */
final class OutputActivation {
    private static final List<String> ACTIVATIONS = Arrays.asList("SOFTMAX", "LOGISTIC");
    private static final List<String> STORING = Arrays.asList("QUANTIZE", "DEQUANTIZE", "RESHAPE");

    private OutputActivation() {}

    /** Follows the first output back through operators that only change how it is stored. */
    static boolean isProbabilities(Graph graph) {
        int tensor = graph.outputs[0];
        for (int i = graph.operators.length - 1; i >= 0; i--) {
            Graph.Operator operator = graph.operators[i];
            if (!operator.makes(tensor)) {
                continue;
            }
            if (!STORING.contains(operator.name) || operator.inputs.length == 0) {
                return ACTIVATIONS.contains(operator.name);
            }
            tensor = operator.inputs[0];
        }
        return false;
    }
}
