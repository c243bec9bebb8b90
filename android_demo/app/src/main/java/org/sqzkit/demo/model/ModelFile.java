package org.sqzkit.demo.model;

import android.text.TextUtils;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;
import org.sqzkit.demo.image.Geometry;
import org.sqzkit.teach.Attachments;
import org.sqzkit.teach.Flat;
import org.sqzkit.teach.Graph;
import org.sqzkit.teach.HeadException;
import org.sqzkit.teach.LastLayer;

/**
 * What a {@code .tflite} says about itself, read without running it.
 *
 * <p>An image classifier has one input [1, height, width, 3] or [1, 3, height, width] and one output
 * with a value for each class, both float32, uint8 or int8; everything else is refused with the
 * reason.
 */
public final class ModelFile {
    private static final int MAX_SIDE = 2048;
    private static final int MAX_CLASSES = 1_000_000;
    /** TensorFlow Lite ends the process if it cannot get the memory for a tensor. */
    private static final long MAX_TENSOR_VALUES = 1L << 27;

    final TensorInfo input;
    final TensorInfo output;
    final ModelMetadata metadata;
    final Normalization normalization;
    final Geometry geometry;
    /** Whether the graph itself makes probabilities of its scores. */
    final boolean probabilities;

    private final Additions.Choice choice;
    private final List<String> labels;
    private final boolean wholeInt8;
    private final TreeSet<String> weightTypes;
    private final boolean perChannel;

    private ModelFile(ByteBuffer content, List<String> names, Additions.Choice choice)
            throws AppError, HeadException {
        Graph graph = Graph.read(content);
        input = only(graph.inputs, graph, R.string.error_inputs);
        int[] outputs = graph.outputs;
        output = only(outputs.length > 1 && isTeachable(graph) ? Arrays.copyOf(outputs, 1) : outputs,
                graph, R.string.error_outputs);
        probabilities = OutputActivation.isProbabilities(graph);
        metadata = metadata(graph, content);
        checkInput();
        checkOutput();
        normalization = metadata.normalization() != null ? metadata.normalization()
                : !lacksNormalization() ? Normalization.RAW
                : choice != null ? choice.normalization() : Normalization.GUESS;
        this.choice = choice;
        labels = lacksLabels() && names.size() == output.count() ? names : metadata.labels();
        geometry = metadata.geometry() != null ? metadata.geometry()
                : Geometry.covering(width(), height());
        weightTypes = new TreeSet<>();
        boolean channels = false;
        boolean floats = false;
        for (Graph.Tensor tensor : graph.tensors) {
            TensorInfo info = TensorInfo.of(tensor);
            if (info.values() > MAX_TENSOR_VALUES) {
                throw new AppError(R.string.error_model_too_complex);
            }
            if (tensor.shape.length >= 2 && tensor.buffer > 0 && graph.isConstant(tensor)) {
                weightTypes.add(info.type());
                channels |= tensor.scales.length > 1;
            } else {
                floats |= tensor.type == Graph.FLOAT32 && info.count() > 1
                        && tensor.index != graph.inputs[0] && tensor.index != outputs[0];
            }
        }
        perChannel = channels;
        wholeInt8 = !floats;
    }

    /** Reads a file's description; the error says why it is not an image classifier. */
    public static ModelFile read(ByteBuffer content) throws AppError {
        return read(content, Collections.emptyList(), null);
    }

    /**
     * Reads a file's description, and completes it where the file says nothing.
     *
     * @param names one for each class; others are ignored
     * @param choice null for none
     */
    static ModelFile read(ByteBuffer content, List<String> names, Additions.Choice choice)
            throws AppError {
        if (!isModel(content)) {
            throw new AppError(R.string.error_not_a_model);
        }
        try {
            return new ModelFile(content, names, choice);
        } catch (HeadException | IndexOutOfBoundsException e) {
            throw new AppError(R.string.error_damaged_model);
        }
    }

    /** Whether the content starts as a .tflite does. */
    public static boolean isModel(ByteBuffer content) {
        return Flat.isOfKind(content, Graph.IDENTIFIER);
    }

    /** Whether the further outputs are those from which a head is taught. */
    private static boolean isTeachable(Graph graph) {
        try {
            return LastLayer.find(graph).isTeachable();
        } catch (HeadException e) {
            return false;
        }
    }

    private static TensorInfo only(int[] tensors, Graph graph, int error) throws AppError {
        if (tensors.length != 1) {
            throw new AppError(error, tensors.length);
        }
        return TensorInfo.of(graph.tensors[tensors[0]]);
    }

    private static ModelMetadata metadata(Graph graph, ByteBuffer content) throws AppError, HeadException {
        for (int entry : graph.entries) {
            int buffer = graph.number(entry, 1, 4);
            if (graph.text(entry, 0).equals(ModelMetadata.ENTRY) && buffer >= 0
                    && buffer < graph.buffers.length) {
                return ModelMetadata.read(
                        graph.content(graph.buffers[buffer]), Attachments.read(content).files);
            }
        }
        return ModelMetadata.NONE;
    }

    private void checkInput() throws AppError {
        int[] shape = input.shape();
        boolean image = shape.length == 4 && shape[0] == 1 && (shape[3] == 3 || shape[1] == 3);
        if (!image || height() < 1 || width() < 1 || height() > MAX_SIDE || width() > MAX_SIDE) {
            throw new AppError(R.string.error_input_shape, input.shapeText());
        }
        checkType(input);
        Geometry record = metadata.geometry();
        if (record != null
                && (record.cropWidth() != width() || record.cropHeight() != height())) {
            throw new AppError(R.string.error_preprocessing);
        }
    }

    private void checkOutput() throws AppError {
        int classes = output.count();
        int[] shape = output.shape();
        if (classes < 2 || classes > MAX_CLASSES || shape[shape.length - 1] != classes) {
            throw new AppError(R.string.error_output_shape, output.shapeText());
        }
        checkType(output);
        int labels = metadata.labels().size();
        if (labels != 0 && labels != classes) {
            throw new AppError(R.string.error_label_count, labels, classes);
        }
    }

    private static void checkType(TensorInfo tensor) throws AppError {
        boolean real = tensor.type().equals(TensorInfo.FLOAT32);
        boolean quantized = tensor.type().equals(TensorInfo.UINT8)
                || tensor.type().equals(TensorInfo.INT8);
        if (!real && !(quantized && tensor.scale() > 0)) {
            throw new AppError(R.string.error_type, tensor.type());
        }
    }

    /** Whether the input has all red values first, then all green, then all blue (NCHW). */
    boolean planar() {
        return input.shape()[3] != 3;
    }

    /** Width of the input picture. */
    public int width() {
        return input.shape()[planar() ? 3 : 2];
    }

    /** Height of the input picture. */
    public int height() {
        return input.shape()[planar() ? 2 : 1];
    }

    /** Number of classes. */
    public int classes() {
        return output.count();
    }

    /** The name of a class, or null where the file has none. */
    public String label(int index) {
        return labels.isEmpty() ? null : labels.get(index);
    }

    /** All class names, in class order; empty where the file has none. */
    public List<String> labels() {
        return labels;
    }

    public String name() {
        return metadata.name();
    }

    public String description() {
        return metadata.description();
    }

    public String author() {
        return metadata.author();
    }

    public String licence() {
        return metadata.licence();
    }

    /** What is fed in: photograph size and how it is cut from the photograph. */
    public Geometry geometry() {
        return geometry;
    }

    public String inputType() {
        return input.type();
    }

    /** Whether the file has no class names, so that the user may add them. */
    public boolean lacksLabels() {
        return metadata.labels().isEmpty();
    }

    /** Whether the file should say how pixels become numbers but does not, so that the user may. */
    public boolean lacksNormalization() {
        return metadata.normalization() == null && input.type().equals(TensorInfo.FLOAT32);
    }

    /** Returns how the user said that pixels become numbers, or null. */
    public Additions.Choice choice() {
        return choice;
    }

    /** "int8, per channel", "float16 weights", "float32"... */
    public String quantization() {
        String weights = TextUtils.join(" + ", weightTypes);
        if (!weightTypes.contains(TensorInfo.INT8) && !weightTypes.contains(TensorInfo.UINT8)) {
            return weights;
        }
        return String.format(Locale.ROOT, "%s, %s%s", weights,
                perChannel ? "per channel" : "per tensor", wholeInt8 ? "" : ", dynamic");
    }
}
