package org.sqzkit.teach;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.List;

/**
 * The last layer of a classifier: where its features and its class map are in the graph.
 *
 * <p>docs/teaching.md of sqzkit says which graphs can be taught, and what the digest is of.
 */
public final class LastLayer {
    private static final List<String> AFTER = Arrays.asList(
            "SOFTMAX", "LOGISTIC", "QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "ADD");
    private static final List<String> BETWEEN = Arrays.asList("RESHAPE", "SQUEEZE");
    private static final List<String> AVERAGES = Arrays.asList("MEAN", "AVERAGE_POOL_2D");
    private static final List<String> DENSE = Arrays.asList("FULLY_CONNECTED", "CONV_2D");
    private static final List<Integer> TYPES =
            Arrays.asList(Graph.FLOAT32, Graph.UINT8, Graph.INT16, Graph.INT8);

    final Graph graph;
    /** Numbers of the operators. */
    final int average;
    final int dense;
    final Graph.Tensor features;
    /** Or null where the average comes before the dense layer. */
    final Graph.Tensor classMap;

    private final int[] makers;
    private final byte[] digest;

    private LastLayer(Graph graph) throws HeadException {
        this.graph = graph;
        makers = new int[graph.tensors.length];
        Arrays.fill(makers, -1);
        for (int i = 0; i < graph.operators.length; i++) {
            for (int output : graph.operators[i].outputs) {
                makers[output] = i;
            }
        }
        int last = before(graph.outputs.length == 0 ? -1 : graph.outputs[0], AFTER);
        if (isAverage(last)) {
            average = last;
            dense = maker(graph.operators[last].inputs[0]);
            require(isDense(dense), "the average at its end reads " + name(dense));
        } else {
            require(isDense(last), "it ends in " + name(last));
            dense = last;
            average = before(graph.operators[last].inputs[0], BETWEEN);
            require(isAverage(average), "its last layer reads " + name(average));
        }
        Graph.Operator first = graph.operators[Math.min(dense, average)];
        require(maker(first.inputs[0]) >= 0, "its last layer reads the input");
        features = graph.tensors[first.inputs[0]];
        classMap = dense < average ? graph.tensors[first.outputs[0]] : null;
        check(graph.tensors[graph.operators[average].outputs[0]]);
        digest = computeDigest();
    }

    /**
     * Returns where a classifier's features are.
     *
     * @param model a .tflite; files that lie behind it are allowed
     * @throws HeadException NOT_TEACHABLE if it does not end in an average beside a 1x1 convolution
     *     or dense layer, has an operator that image classifiers do not have, or is damaged
     */
    public static LastLayer find(ByteBuffer model) throws HeadException {
        return find(Graph.read(model));
    }

    /**
     * Returns where the features of a graph are, as the other {@code find} does.
     *
     * @throws HeadException NOT_TEACHABLE
     */
    public static LastLayer find(Graph graph) throws HeadException {
        try {
            return new LastLayer(graph);
        } catch (IndexOutOfBoundsException error) {
            throw HeadException.damagedModel(error);
        }
    }

    private int maker(int tensor) {
        return tensor < 0 ? -1 : makers[tensor];
    }

    /** Returns the number of the operator that makes a tensor, some left out, or -1. */
    private int before(int tensor, List<String> passed) {
        int number = tensor;
        for (int i = 0; i < graph.operators.length; i++) { // a damaged graph may run in a circle
            int found = maker(number);
            if (found < 0) {
                return found;
            }
            Graph.Operator operator = graph.operators[found];
            int[] inputs = operator.inputs;
            boolean stays = !passed.contains(operator.name) || inputs.length == 0
                    || operator.name.equals("ADD")
                            && !isConstant(inputs[inputs.length - 1]);
            if (stays) {
                return found;
            }
            number = inputs[0];
        }
        return -1;
    }

    private boolean isConstant(int tensor) {
        return tensor >= 0 && graph.isConstant(graph.tensors[tensor]);
    }

    private boolean isAverage(int number) {
        return number >= 0 && AVERAGES.contains(graph.operators[number].name)
                && hasInputs(graph.operators[number].inputs, 1);
    }

    /** Whether an operator multiplies each place of its input by a constant matrix. */
    private boolean isDense(int number) {
        if (number < 0 || !DENSE.contains(graph.operators[number].name)
                || !hasInputs(graph.operators[number].inputs, 2)) {
            return false;
        }
        Graph.Tensor kernel = graph.stored(graph.operators[number].inputs[1]);
        int[] shape = kernel.shape;
        return graph.isConstant(kernel) && (shape.length == 2
                || shape.length == 4 && shape[1] == 1 && shape[2] == 1);
    }

    private static boolean hasInputs(int[] inputs, int count) {
        for (int i = 0; i < count; i++) {
            if (inputs.length <= i || inputs[i] < 0) {
                return false;
            }
        }
        return true;
    }

    private void check(Graph.Tensor averaged) throws HeadException {
        int[] shape = features.shape;
        require(shape.length == 4 && shape[0] == 1 && Graph.product(shape) > 0
                && shape[3] <= Head.MAX_FEATURES, "its features are " + Arrays.toString(shape)
                + ", not [1, H, W, at most " + Head.MAX_FEATURES + "]");
        int[] ends = averaged.shape;
        require(ends.length > 0 && Graph.product(ends) == ends[ends.length - 1],
                "its average does not give one value for each channel");
        require(TYPES.contains(features.type), "its features have the type " + features.type);
        require(features.type == Graph.FLOAT32 || features.scales.length == 1,
                "its features have not one scale");
    }

    private String name(int operator) {
        return operator < 0 ? "the input" : graph.operators[operator].name;
    }

    private static void require(boolean condition, String otherwise) throws HeadException {
        if (!condition) {
            throw HeadException.unfit(otherwise);
        }
    }

    /** Returns SHA-256 of what decides on the features, 32 bytes: a head belongs to it. */
    public byte[] digest() {
        return digest.clone();
    }

    private byte[] computeDigest() throws HeadException {
        MessageDigest found = sha256();
        int maker = 0;
        while (!graph.operators[maker].makes(features.index)) {
            maker++;
        }
        for (Graph.Operator operator : Arrays.copyOf(graph.operators, maker + 1)) {
            require(!operator.name.startsWith("OPERATOR_"), "it has the operator number "
                    + operator.name.substring(operator.name.indexOf('_') + 1));
            found.update(Head.utf8(operator.name + "\0"));
            for (int[] numbers : new int[][] {operator.inputs, operator.outputs}) {
                for (int number : numbers) {
                    if (number >= 0) {
                        update(found, graph.tensors[number]);
                    }
                }
            }
        }
        return found.digest();
    }

    /** The file has the numbers as the digest wants them. */
    private void update(MessageDigest found, Graph.Tensor tensor) {
        updateVector(found, graph.target(tensor.table, 0), 4);
        if (tensor.quantization != 0) {
            updateVector(found, graph.target(tensor.quantization, 2), 4);
            updateVector(found, graph.target(tensor.quantization, 3), 8);
        }
        found.update(graph.data(tensor));
    }

    private void updateVector(MessageDigest found, int vector, int item) {
        found.update(graph.range(vector + 4, item * graph.count(vector, item)));
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException("every Java has SHA-256", error);
        }
    }

    /** Returns the number of features. */
    public int size() {
        return features.shape[3];
    }

    /** Returns height and width of the features' map. */
    public int[] places() {
        return new int[] {features.shape[1], features.shape[2]};
    }

    /**
     * Returns how many bytes an output of a teachable file has.
     *
     * @param output 1, the features' activation, or 2, the class map
     */
    public int activationBytes(int output) {
        Graph.Tensor tensor = output == 1 ? features : classMap;
        int bytes = tensor.type == Graph.FLOAT32 ? 4 : tensor.type == Graph.INT16 ? 2 : 1;
        return bytes * Graph.product(tensor.shape);
    }

    /** Returns the number of outputs of a teachable file: 2, or 3 with the class map. */
    public int outputs() {
        return wanted().length;
    }

    /** Returns how many classes the class map has, or 0 if there is none of the features' places. */
    public int mapClasses() {
        int classes = classMap == null || classMap.shape.length == 0 ? 0
                : classMap.shape[classMap.shape.length - 1];
        boolean fits = classes > 0 && Graph.product(classMap.shape) / classes
                == features.shape[1] * features.shape[2];
        return fits ? classes : 0;
    }

    /** Whether the file has these outputs already. */
    public boolean isTeachable() {
        return Arrays.equals(graph.outputs, wanted());
    }

    private int[] wanted() {
        int[] all = {graph.outputs[0], features.index, classMap == null ? 0 : classMap.index};
        return Arrays.copyOf(all, classMap == null ? 2 : 3);
    }

    /**
     * Returns the file with features and class map as further outputs: no operator is added, the
     * first output, metadata and labels stay. The same bytes as {@code convert --teachable} writes.
     *
     * @throws HeadException NOT_TEACHABLE if the files behind the model are damaged
     */
    public byte[] teachable() throws HeadException {
        byte[] content = new byte[graph.bytes.limit()];
        graph.range(0, content.length).get(content);
        if (isTeachable()) {
            return content;
        }
        int[] outputs = wanted();
        Attachments files = Attachments.read(ByteBuffer.wrap(content));
        byte[] model = Arrays.copyOf(content, files.start());
        int end = model.length + 3 & ~3;
        ByteBuffer out = ByteBuffer.allocate(end + 4 + 4 * outputs.length)
                .order(ByteOrder.LITTLE_ENDIAN);
        out.put(model);
        out.putInt(graph.outputsField, end - graph.outputsField);
        out.putInt(end, outputs.length);
        for (int i = 0; i < outputs.length; i++) {
            out.putInt(end + 4 + 4 * i, outputs[i]);
        }
        return files.appendTo(out.array());
    }

    /**
     * Returns the features of an activation.
     *
     * @param activation {@link #activationBytes} bytes, as the interpreter writes them
     */
    public short[] average(ByteBuffer activation) {
        double[] values = values(activation, features);
        int channels = size();
        double[] totals = new double[channels];
        for (int i = 0; i < values.length; i++) {
            totals[i % channels] += values[i];
        }
        int places = values.length / channels;
        if (features.type == Graph.FLOAT32) {
            return Features.ofTotals(totals, places);
        }
        long[] whole = new long[channels];
        for (int i = 0; i < channels; i++) {
            whole[i] = (long) totals[i];
        }
        return Features.average(whole, places, features.type == Graph.INT16 ? 1 : Features.STEPS);
    }

    /** Returns an activation [H, W, channels], less its zero point, in steps. */
    private static double[] values(ByteBuffer activation, Graph.Tensor features) {
        ByteBuffer from = activation.duplicate().order(ByteOrder.nativeOrder());
        ((java.nio.Buffer) from).rewind();
        double[] values = new double[Graph.product(features.shape)];
        for (int i = 0; i < values.length; i++) {
            switch (features.type) {
                case Graph.FLOAT32:
                    values[i] = from.getFloat();
                    break;
                case Graph.INT16:
                    values[i] = from.getShort() - features.zero;
                    break;
                case Graph.UINT8:
                    values[i] = (from.get() & 255) - features.zero;
                    break;
                default:
                    values[i] = from.get() - features.zero;
            }
        }
        return values;
    }

    /**
     * Returns how much each place speaks for one of the model's own classes, [H · W].
     *
     * @param activation the class map, {@link #activationBytes} bytes
     */
    public float[] channel(ByteBuffer activation, int label) {
        double[] values = values(activation, classMap);
        float[] map = new float[values.length / mapClasses()];
        for (int place = 0; place < map.length; place++) {
            map[place] = (float) values[place * mapClasses() + label];
        }
        return map;
    }

    /**
     * Returns how much each place speaks for a class: its activation map, [H · W].
     *
     * @param activation as {@link #average} takes it
     * @param coefficients of the class, as {@link TaughtHead#coefficients} gives them
     */
    public float[] map(ByteBuffer activation, double[] coefficients) {
        double[] values = values(activation, features);
        float[] map = new float[values.length / coefficients.length];
        for (int place = 0; place < map.length; place++) {
            double sum = 0;
            for (int i = 0; i < coefficients.length; i++) {
                sum += coefficients[i] * values[place * coefficients.length + i];
            }
            map[place] = (float) sum;
        }
        return map;
    }
}
