package org.sqzkit.teach;

import java.nio.BufferOverflowException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.TreeMap;

/**
 * A taught head as an ordinary {@code .tflite}: the last layer replaced, everything before it kept.
 *
 * <p>docs/teaching.md of sqzkit numbers the steps; Python's program writes the same bytes.
 */
public final class Export {
    /** Scores are expected this many standard deviations around those of the classes' means. */
    private static final double DEVIATIONS = 4;
    /** How much farther than its average a score reaches at one place of the map. */
    private static final double PLACES = 4;
    /** e^-8 is less than a step of an int8 probability. */
    private static final double NEGLIGIBLE = 8;
    private static final String METADATA = "TFLITE_METADATA";
    private static final String RECORD = "preprocessing.json";

    private final LastLayer place;
    private final Graph graph;
    private final byte[] content;
    private final TreeMap<Integer, Splice.Vector> vectors = new TreeMap<>();
    private final int classes;
    /** [classes][features] for the activation's real values. */
    private double[][] kernel;
    private double[] biases;
    /** The mean of the classes' means, real values. */
    private double[] mean;
    /** The ranges of the averaged logits that matter, and of those at each place. */
    private double[] averages;
    private double[] places;

    private Export(byte[] content, Head head) throws HeadException {
        this.content = content;
        place = LastLayer.find(ByteBuffer.wrap(content));
        graph = place.graph;
        head.checkModel(place.digest(), place.size());
        classes = head.labels().size();
        if (classes < 2) {
            throw new HeadException(HeadException.Code.NOTHING_TAUGHT,
                    "a model needs two classes or more: teach another one first");
        }
        compute(head.teach(), head.moments(), head);
    }

    /**
     * Returns a model whose last layer is the head: logits, softmax and labels. The same model and
     * head give the same bytes.
     *
     * @param content the .tflite that the head was taught on, or one with the same features
     * @param head of two classes or more
     * @throws HeadException OTHER_MODEL; NOTHING_TAUGHT if there are fewer than two classes;
     *     NOT_TEACHABLE if the model's last layer cannot be replaced
     */
    public static byte[] export(byte[] content, Head head) throws HeadException {
        Attachments files = Attachments.read(ByteBuffer.wrap(content));
        try {
            Export export = new Export(Arrays.copyOf(content, files.start()), head);
            export.writeKernel();
            export.writeRest();
            export.writeMetadata(files, head);
            return files.appendTo(Splice.model(export.content, export.vectors));
        } catch (IndexOutOfBoundsException | IllegalArgumentException | BufferOverflowException
                | BufferUnderflowException error) {
            throw HeadException.damagedModel(error);
        }
    }

    private void compute(TaughtHead taught, Moments moments, Head head) throws HeadException {
        double temperature = taught.choice().temperature();
        double[][] weights = new double[classes][];
        for (int c = 0; c < classes; c++) {
            weights[c] = taught.coefficients(c);
        }
        biases = taught.biases();
        int size = weights[0].length;
        // What all classes have in common changes no answer, but needs room.
        for (int i = 0; i < size; i++) {
            double shared = weights[0][i];
            for (int c = 1; c < classes; c++) {
                shared += weights[c][i];
            }
            for (double[] row : weights) {
                row[i] = (row[i] - shared / classes) / temperature;
            }
        }
        double shared = sum(biases) / classes;
        for (int c = 0; c < classes; c++) {
            biases[c] = (biases[c] - shared) / temperature;
        }
        setRanges(weights, logits(weights, head), spread(weights, moments));
        double step = place.features.scales.length > 0 ? place.features.scales[0] : 1;
        double units = (place.features.type == Graph.INT16 ? 1 : Features.STEPS) / step;
        kernel = weights;
        mean = taught.mean();
        for (int i = 0; i < size; i++) {
            mean[i] /= units;
            for (double[] row : kernel) {
                row[i] *= units;
            }
        }
    }

    private static double sum(double[] values) {
        double sum = values[0];
        for (int i = 1; i < values.length; i++) {
            sum += values[i];
        }
        return sum;
    }

    /** Returns [a][c]: the logits of the classes' means. */
    private double[][] logits(double[][] weights, Head head) {
        double[][] logits = new double[classes][classes];
        int a = 0;
        for (Photographs one : head.classes.values()) {
            long[] total = one.total();
            for (int c = 0; c < classes; c++) {
                for (int i = 0; i < total.length; i++) {
                    logits[a][c] += total[i] / (double) one.count() * weights[c][i];
                }
                logits[a][c] += biases[c];
            }
            a++;
        }
        return logits;
    }

    /** Returns the largest standard deviation of a logit within its class. */
    private double spread(double[][] weights, Moments moments) {
        double largest = 0;
        for (double[] row : weights) {
            double[] product = new double[row.length];
            for (int i = 0; i < row.length; i++) {
                moments.addScatterRow(i, row[i], product);
            }
            largest = Math.max(largest, Moments.dot(product, row) / moments.rest);
        }
        return Math.sqrt(largest);
    }

    private void setRanges(double[][] weights, double[][] logits, double spread) {
        double room = DEVIATIONS * spread;
        double low = Double.POSITIVE_INFINITY;
        double high = Double.NEGATIVE_INFINITY;
        double right = Double.POSITIVE_INFINITY;
        for (int a = 0; a < weights.length; a++) {
            for (double logit : logits[a]) {
                low = Math.min(low, logit);
                high = Math.max(high, logit);
            }
            right = Math.min(right, logits[a][a]);
        }
        low = Math.min(low - room, -1);
        high = Math.max(high + room, 1);
        // Logits so far below those of the first answers are all probabilities of 0 in int8.
        double least = Math.min(right - room - NEGLIGIBLE, 0);
        averages = new double[] {Math.max(low, least), high};
        places = new double[] {PLACES * low, PLACES * high};
        for (int i = place.dense; i < graph.operators.length; i++) {
            if (graph.operators[i].name.equals("AVERAGE_POOL_2D")) {
                averages = places; // it does not change the scale, as MEAN does
            }
        }
    }

    private void writeKernel() throws HeadException {
        int[] inputs = graph.operators[place.dense].inputs;
        for (int i = place.dense; i < graph.operators.length; i++) {
            require(!graph.operators[i].name.equals("LOGISTIC"),
                    "it ends in a sigmoid: only a softmax can be taught");
        }
        require(inputs.length > 2 && inputs[2] >= 0,
                "its last layer has no bias, so none can be written");
        Graph.Tensor weights = graph.stored(inputs[1]);
        double[] scales = {1};
        double[][] values = kernel;
        if (weights.type == Graph.INT8) {
            scales = kernelScales(weights.scales.length == 1);
            values = rounded(scales);
            quantize(weights, scales, new long[scales.length]);
        } else {
            require(weights.type == Graph.FLOAT32 || weights.type == Graph.FLOAT16,
                    "its last layer has the type " + weights.type);
        }
        double[] flat = new double[classes * mean.length];
        for (int c = 0; c < classes; c++) {
            System.arraycopy(values[c], 0, flat, c * mean.length, mean.length);
        }
        write(weights, flat, withFirst(weights.shape));
        writeBias(graph.stored(inputs[2]), scales, values, weights.type == Graph.INT8);
        for (int i = 1; i <= 2; i++) { // float16 weights are expanded to other tensors
            shape(graph.tensors[inputs[i]], withFirst(graph.tensors[inputs[i]].shape));
        }
    }

    private int[] withFirst(int[] shape) {
        int[] changed = shape.clone();
        changed[0] = classes;
        return changed;
    }

    private double[] kernelScales(boolean one) {
        double[] largest = new double[one ? 1 : classes];
        for (int c = 0; c < classes; c++) {
            for (double value : kernel[c]) {
                int k = one ? 0 : c;
                largest[k] = Math.max(largest[k], Math.abs(value));
            }
        }
        for (int k = 0; k < largest.length; k++) {
            largest[k] = (float) (largest[k] > 0 ? largest[k] / 127 : 1);
        }
        return largest;
    }

    private double[][] rounded(double[] scales) {
        double[][] values = new double[classes][mean.length];
        for (int c = 0; c < classes; c++) {
            double scale = scales[scales.length == 1 ? 0 : c];
            for (int i = 0; i < mean.length; i++) {
                values[c][i] = clip(Math.rint(kernel[c][i] / scale), -127, 127);
            }
        }
        return values;
    }

    /** At the mean of all classes, rounding the kernel changes nothing. */
    private void writeBias(Graph.Tensor bias, double[] scales, double[][] values, boolean int8)
            throws HeadException {
        double[] found = new double[classes];
        double[] rest = new double[mean.length];
        for (int c = 0; c < classes; c++) {
            double scale = scales[scales.length == 1 ? 0 : c];
            for (int i = 0; i < rest.length; i++) {
                rest[i] = (kernel[c][i] - values[c][i] * scale) * mean[i];
            }
            found[c] = biases[c] + sum(rest);
        }
        int type = place.features.type;
        if (int8 && (type == Graph.INT8 || type == Graph.INT16)) {
            double[] steps = new double[scales.length];
            for (int k = 0; k < steps.length; k++) {
                steps[k] = (float) (scales[k] * place.features.scales[0]);
            }
            for (int c = 0; c < classes; c++) {
                found[c] = Math.rint(found[c] / steps[steps.length == 1 ? 0 : c]);
            }
            quantize(bias, steps, new long[steps.length]);
        }
        write(bias, found, new int[] {classes});
    }

    /** Writes shapes, ranges and constants of the operators from the last layer on. */
    private void writeRest() throws HeadException {
        int first = place.classMap == null ? place.dense : Math.min(place.dense, place.average);
        int old = graph.stored(graph.operators[place.dense].inputs[1]).shape[0];
        removeActivation(graph.operators[place.dense]);
        for (int i = first; i < graph.operators.length; i++) {
            Graph.Operator operator = graph.operators[i];
            for (int k = 1; k < operator.inputs.length; k++) {
                if (operator.inputs[k] >= 0) {
                    writeConstant(operator.name, graph.tensors[operator.inputs[k]], old);
                }
            }
            Graph.Tensor made = graph.tensors[operator.outputs[0]];
            shape(made, Graph.withLast(made.shape, classes));
            boolean ends = operator.name.equals("SOFTMAX") || made.index == graph.outputs[0];
            if (made.scales.length > 0 && (!ends || operator.name.equals("ADD"))) {
                range(made, made == place.classMap ? places : averages);
            }
        }
    }

    private void writeConstant(String operator, Graph.Tensor tensor, int old) throws HeadException {
        boolean adds = operator.equals("ADD");
        if (!adds && !operator.equals("RESHAPE") || !graph.isConstant(tensor)) {
            return;
        }
        int[] shape = tensor.shape;
        require(Graph.product(shape) <= graph.data(tensor).remaining(), "its file is damaged");
        if (adds) {
            shape = Graph.withLast(shape, classes);
        }
        double[] values = new double[Graph.product(shape)];
        Arrays.fill(values, tensor.zero);
        if (!adds) {
            ByteBuffer sides = graph.data(tensor).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < values.length; i++) {
                int side = sides.getInt();
                values[i] = side == old ? classes : side;
            }
        }
        write(tensor, values, shape);
    }

    private void range(Graph.Tensor tensor, double[] range) throws HeadException {
        double low = range[0];
        double high = range[1];
        require(tensor.type == Graph.INT8 || tensor.type == Graph.INT16,
                "an activation behind its last layer has the type " + tensor.type);
        if (tensor.type == Graph.INT16) {
            quantize(tensor, new double[] {Math.max(-low, high) / 32767}, new long[1]);
            return;
        }
        double scale = (high - low) / 255;
        double zero = clip(Math.rint(-128 - low / scale), -128, 127);
        quantize(tensor, new double[] {scale}, new long[] {(long) zero});
    }

    /** Logits may be negative. */
    private void removeActivation(Graph.Operator operator) {
        int options = graph.target(operator.table, 4);
        int field = options == 0 ? 0
                : graph.field(options, operator.name.equals("CONV_2D") ? 3 : 0);
        if (field != 0) {
            content[field] = 0;
        }
    }

    private void writeMetadata(Attachments files, Head head) throws HeadException {
        for (int entry : graph.entries) {
            if (!graph.text(entry, 0).equals(METADATA)) {
                continue;
            }
            int buffer = graph.buffers[graph.number(entry, 1, 4)];
            ByteBuffer view = graph.content(buffer);
            byte[] record = new byte[view.remaining()];
            view.get(record);
            Flat metadata = new Flat(ByteBuffer.wrap(record));
            String labels = Attachments.labels(metadata);
            if (files.files.containsKey(labels)) {
                StringBuilder lines = new StringBuilder();
                for (String label : head.labels()) {
                    lines.append(label).append('\n');
                }
                files.files.put(labels, Head.utf8(lines.toString()));
            }
            if (files.files.containsKey(RECORD)) {
                put(buffer, 0, 1, described(metadata, record, head));
            }
        }
    }

    private static byte[] described(Flat metadata, byte[] record, Head head) throws HeadException {
        int text = metadata.target(metadata.root(), 1);
        if (text == 0) {
            return record;
        }
        String changed = "Tells " + head.labels().size() + " classes apart, taught on "
                + head.total() + " photographs. Its network is that of: "
                + metadata.text(metadata.root(), 1);
        TreeMap<Integer, Splice.Vector> vectors = new TreeMap<>();
        vectors.put(text, new Splice.Vector(1, Head.utf8(changed)));
        return Splice.metadata(record, vectors);
    }

    private void write(Graph.Tensor tensor, double[] values, int[] shape) throws HeadException {
        for (Graph.Tensor other : graph.tensors) {
            require(other == tensor || other.buffer != tensor.buffer,
                    "its last layer shares values with another one");
        }
        ByteBuffer out = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (double value : values) {
            put(out, tensor.type, value);
        }
        put(graph.buffers[tensor.buffer], 0, 1, Arrays.copyOf(out.array(), out.position()));
        shape(tensor, shape);
    }

    private static void put(ByteBuffer out, int type, double value) throws HeadException {
        switch (type) {
            case Graph.INT8:
                out.put((byte) value);
                break;
            case Graph.FLOAT16:
                out.putShort(half(value));
                break;
            case Graph.INT32:
                out.putInt((int) value);
                break;
            case Graph.INT64:
                out.putLong((long) value);
                break;
            case Graph.FLOAT32:
                out.putFloat((float) value);
                break;
            default:
                throw HeadException.unfit("its last layer has the type " + type);
        }
    }

    /** Returns the nearest float16, of two equally near ones the even one. */
    static short half(double value) {
        double size = Math.abs(value);
        int exponent = Math.max(Math.getExponent(size), -14);
        long steps = (long) Math.rint(Math.scalb(size, 10 - exponent));
        // The exponent's bits count up where rounding carries; 0 steps of a normal one are 1024.
        long bits = Math.min(((long) (exponent + 14) << 10) + steps, 0x7c00);
        return (short) (bits | Double.doubleToRawLongBits(value) >>> 48 & 0x8000);
    }

    private void shape(Graph.Tensor tensor, int[] shape) throws HeadException {
        ByteBuffer out = ByteBuffer.allocate(4 * shape.length).order(ByteOrder.LITTLE_ENDIAN);
        for (int side : shape) {
            out.putInt(side);
        }
        put(tensor.table, 0, 4, out.array());
    }

    private void quantize(Graph.Tensor tensor, double[] scales, long[] zeros) throws HeadException {
        require(tensor.quantization != 0, "an activation behind its last layer has no scale");
        ByteBuffer steps = ByteBuffer.allocate(4 * scales.length).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer points = ByteBuffer.allocate(8 * zeros.length).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < scales.length; i++) {
            steps.putFloat((float) scales[i]);
            points.putLong(zeros[i]);
        }
        put(tensor.quantization, 2, 4, steps.array());
        put(tensor.quantization, 3, 8, points.array());
    }

    private void put(int table, int slot, int item, byte[] items) throws HeadException {
        int vector = graph.target(table, slot);
        require(vector != 0, "its last layer lacks a shape, values or scales");
        graph.count(vector, item);
        vectors.put(vector, new Splice.Vector(item, items));
    }

    private static double clip(double value, double low, double high) {
        return Math.max(low, Math.min(high, value));
    }

    private static void require(boolean condition, String otherwise) throws HeadException {
        if (!condition) {
            throw HeadException.unfit(otherwise);
        }
    }
}
