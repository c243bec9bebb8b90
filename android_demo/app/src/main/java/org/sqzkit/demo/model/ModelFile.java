package org.sqzkit.demo.model;

import android.text.TextUtils;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;
import org.sqzkit.demo.image.Geometry;
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
    /** The identifier of a .tflite, at its byte 4. */
    static final String IDENTIFIER = "TFL3";

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
            throws AppError {
        FlatBufferTable model = FlatBufferTable.root(content, IDENTIFIER);
        List<FlatBufferTable> graphs = model.tables(2);
        if (graphs.isEmpty()) {
            throw new AppError(R.string.error_damaged_model);
        }
        List<FlatBufferTable> tensors = graphs.get(0).tables(0);
        input = only(graphs.get(0).ints(1), tensors, R.string.error_inputs);
        int[] outputs = graphs.get(0).ints(2);
        output = only(outputs.length > 1 && isTeachable(content) ? Arrays.copyOf(outputs, 1) : outputs,
                tensors, R.string.error_outputs);
        probabilities = OutputActivation.isProbabilities(model, graphs.get(0), graphs.get(0).ints(2)[0]);
        metadata = metadata(model, content);
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
        List<FlatBufferTable> buffers = model.tables(4);
        for (FlatBufferTable table : tensors) {
            TensorInfo tensor = TensorInfo.of(table);
            if (tensor.values() > MAX_TENSOR_VALUES) {
                throw new AppError(R.string.error_model_too_complex);
            }
            if (isWeight(tensor, buffers)) {
                weightTypes.add(tensor.type());
                channels |= tensor.scales() > 1;
            } else {
                floats |= tensor.type().equals(TensorInfo.FLOAT32)
                        && tensor.count() > 1 && !isEnd(tensor);
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
        return new ModelFile(content.duplicate().order(ByteOrder.LITTLE_ENDIAN), names, choice);
    }

    /** Whether the content starts as a .tflite does. */
    public static boolean isModel(ByteBuffer content) {
        return FlatBufferTable.hasIdentifier(content, IDENTIFIER);
    }

    /** Whether the further outputs are those from which a head is taught. */
    private static boolean isTeachable(ByteBuffer content) {
        try {
            return LastLayer.find(content).isTeachable();
        } catch (HeadException e) {
            return false;
        }
    }

    private static TensorInfo only(int[] indices, List<FlatBufferTable> tensors, int error)
            throws AppError {
        if (indices.length != 1) {
            throw new AppError(error, indices.length);
        }
        if (indices[0] < 0 || indices[0] >= tensors.size()) {
            throw new AppError(R.string.error_damaged_model);
        }
        return TensorInfo.of(tensors.get(indices[0]));
    }

    private static ModelMetadata metadata(FlatBufferTable model, ByteBuffer content) throws AppError {
        List<FlatBufferTable> buffers = model.tables(4);
        for (FlatBufferTable entry : model.tables(6)) {
            long buffer = entry.number(1, 4, 0) & 0xffffffffL;
            if (entry.text(0).equals(ModelMetadata.ENTRY) && buffer < buffers.size()) {
                ByteBuffer bytes = buffers.get((int) buffer).content(0);
                return ModelMetadata.read(bytes, AssociatedFiles.read(content));
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

    private static boolean isWeight(TensorInfo tensor, List<FlatBufferTable> buffers) throws AppError {
        return tensor.shape().length >= 2 && tensor.buffer() > 0 && tensor.buffer() < buffers.size()
                && buffers.get(tensor.buffer()).content(0).hasRemaining();
    }

    private boolean isEnd(TensorInfo tensor) {
        return tensor.name().equals(input.name()) || tensor.name().equals(output.name());
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
