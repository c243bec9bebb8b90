package org.sqzkit.demo.model;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.sqzkit.demo.phone.Resources;
import org.sqzkit.teach.Graph;

/** Files that nobody's converter writes, by what is wrong with them. */
final class HostileModels {
    private static final int FLOAT32 = 0;
    private static final int INT8 = 9;
    private static final int MANY = 60_000;
    private static final String RECORD = "preprocessing.json";
    private static final String GOOD_RECORD = "{\"channel_order\":\"RGB\",\"mean\":[0],\"scale\":[1],"
            + "\"image_size\":32,\"resize_size\":36,\"resize\":\"shorter_side\"%s}";

    private HostileModels() {}

    /** What a made model has beyond the least that is read. */
    private static final class Parts {
        int[] inputShape = {1, 32, 32, 3};
        int[] outputShape = {1, 3};
        int inputType = FLOAT32;
        int outputType = FLOAT32;
        int[] inputs = {0};
        int[] outputs = {1};
        int extraTensors;
        int[] extraShape = {1};
        float[] scales = {};
        int operators;
        int[] operatorOutputs = {1};
        byte[] metadata;
        int graphs = 1;
        String tensorName = "tensor";
    }

    private interface Change {
        void apply(Parts parts);
    }

    private static byte[] model(Change change) {
        Parts parts = new Parts();
        change.apply(parts);
        FlatBuffers out = new FlatBuffers();
        int[] positions = new int[2 + parts.extraTensors];
        positions[0] = tensor(out, parts.inputShape, parts.inputType, parts);
        positions[1] = tensor(out, parts.outputShape, parts.outputType, parts);
        int extra = tensor(out, parts.extraShape, FLOAT32, parts);
        Arrays.fill(positions, 2, positions.length, extra);
        int operator = out.table(new FlatBuffers.Table()
                .reference(1, out.ints(0)).reference(2, out.ints(parts.operatorOutputs)));
        int[] operators = new int[parts.operators];
        Arrays.fill(operators, operator);
        int graph = out.table(new FlatBuffers.Table().reference(0, out.tables(positions))
                .reference(1, out.ints(parts.inputs)).reference(2, out.ints(parts.outputs))
                .reference(3, out.tables(operators)));
        int[] graphs = new int[parts.graphs];
        Arrays.fill(graphs, graph);
        FlatBuffers.Table root = new FlatBuffers.Table().number(0, 4, 3)
                .reference(1, out.tables(out.table(new FlatBuffers.Table().number(0, 1, 25))))
                .reference(2, out.tables(graphs));
        addBuffers(out, root, parts.metadata);
        return out.finish(out.table(root), Graph.IDENTIFIER);
    }

    private static int tensor(FlatBuffers out, int[] shape, int type, Parts parts) {
        int quantization = out.table(new FlatBuffers.Table().reference(2, out.floats(parts.scales)));
        return out.table(new FlatBuffers.Table().number(1, 1, type).reference(0, out.ints(shape))
                .reference(3, out.text(parts.tensorName)).reference(4, quantization));
    }

    private static void addBuffers(FlatBuffers out, FlatBuffers.Table root, byte[] metadata) {
        int empty = out.table(new FlatBuffers.Table());
        if (metadata == null) {
            root.reference(4, out.tables(empty));
            return;
        }
        int held = out.table(new FlatBuffers.Table().reference(0, out.content(metadata, 0)));
        root.reference(4, out.tables(empty, held));
        root.reference(6, out.tables(out.table(new FlatBuffers.Table().number(1, 4, 1)
                .reference(0, out.text(ModelMetadata.ENTRY)))));
    }

    /** Standard metadata that names a file with labels. */
    private static byte[] metadata(String name, String labels, float... deviation) {
        FlatBuffers out = new FlatBuffers();
        int file = out.table(new FlatBuffers.Table().reference(0, out.text(labels)).number(2, 1, 2));
        int output = out.table(new FlatBuffers.Table().reference(6, out.tables(file)));
        int options = out.table(new FlatBuffers.Table()
                .reference(0, out.floats(deviation)).reference(1, out.floats(deviation)));
        int unit = out.table(new FlatBuffers.Table().number(0, 1, 1).reference(1, options));
        int input = out.table(new FlatBuffers.Table().reference(4, out.tables(unit)));
        int graph = out.table(new FlatBuffers.Table()
                .reference(2, out.tables(input)).reference(3, out.tables(output)));
        return out.finish(out.table(new FlatBuffers.Table()
                .reference(0, out.text(name)).reference(3, out.tables(graph))), "M001");
    }

    private static byte[] packed(byte[] model, Object... files) {
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            out.write(model);
            ZipOutputStream zip = new ZipOutputStream(out);
            for (int i = 0; i < files.length; i += 2) {
                zip.putNextEntry(new ZipEntry((String) files[i]));
                zip.write((byte[]) files[i + 1]);
                zip.closeEntry();
            }
            zip.close();
            return out.toByteArray();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] withRecord(String record) {
        return packed(model(parts -> parts.metadata = metadata("m", "labels.txt", 1)),
                "labels.txt", bytes("a\nb\nc\n"), RECORD, bytes(record));
    }

    private static byte[] withLabels(byte[] labels) {
        return packed(model(parts -> parts.metadata = metadata("m", "labels.txt", 1)),
                "labels.txt", labels);
    }

    /** The files, by name; all are refused, except those in {@link #harmless}. */
    static Map<String, byte[]> refused() throws IOException {
        Map<String, byte[]> files = new LinkedHashMap<>();
        addShapes(files);
        addSharedVectors(files);
        addMetadata(files);
        addCuts(files);
        return files;
    }

    private static void addShapes(Map<String, byte[]> files) {
        files.put("no input", model(p -> p.inputs = new int[0]));
        files.put("no output", model(p -> p.outputs = new int[0]));
        files.put("input of a tensor that is not there", model(p -> p.inputs = new int[] {99}));
        files.put("negative input", model(p -> p.inputs = new int[] {-1}));
        files.put("input that is the smallest number",
                model(p -> p.inputs = new int[] {Integer.MIN_VALUE}));
        files.put("many inputs", model(p -> p.inputs = new int[MANY]));
        files.put("no graph", model(p -> p.graphs = 0));
        files.put("side of 0", model(p -> p.inputShape = new int[] {1, 0, 32, 3}));
        files.put("negative side", model(p -> p.inputShape = new int[] {1, -32, -32, 3}));
        files.put("side of 2049", model(p -> p.inputShape = new int[] {1, 2049, 32, 3}));
        files.put("side of a billion", model(p -> p.inputShape = new int[] {1, 1 << 30, 1 << 30, 3}));
        files.put("batch of 2", model(p -> p.inputShape = new int[] {2, 32, 32, 3}));
        files.put("grey input", model(p -> p.inputShape = new int[] {1, 32, 32, 1}));
        files.put("channels in the middle", model(p -> p.inputShape = new int[] {1, 32, 3, 32}));
        files.put("scalar input", model(p -> p.inputShape = new int[0]));
        files.put("input of 100 dimensions", model(p -> p.inputShape = new int[100]));
        files.put("input of 60,000 dimensions", model(p -> p.inputShape = new int[MANY]));
        files.put("scalar output", model(p -> p.outputShape = new int[0]));
        files.put("one class", model(p -> p.outputShape = new int[] {1, 1}));
        files.put("billions of classes", model(p -> p.outputShape = new int[] {1, Integer.MAX_VALUE}));
        files.put("overflowing classes", model(p -> p.outputShape = new int[] {1 << 16, 1 << 16, 3}));
        files.put("a map as output", model(p -> p.outputShape = new int[] {1, 7, 7, 3}));
        files.put("text input", model(p -> p.inputType = 5));
        files.put("unknown type", model(p -> p.inputType = 99));
        files.put("negative type", model(p -> p.outputType = -5));
        files.put("int8 without a scale", model(p -> p.inputType = INT8));
        files.put("scale of 0", model(p -> {
            p.inputType = INT8;
            p.scales = new float[] {0};
        }));
        files.put("scale that is not a number", model(p -> {
            p.outputType = INT8;
            p.scales = new float[] {Float.NaN};
        }));
        files.put("a tensor of 4 exabytes", model(p -> {
            p.extraTensors = 1;
            p.extraShape = new int[] {1 << 30, 1 << 30, 1};
        }));
        files.put("a tensor of 2 GB", model(p -> {
            p.extraTensors = 1;
            p.extraShape = new int[] {1 << 29};
        }));
    }

    private static void addSharedVectors(Map<String, byte[]> files) {
        files.put("60,000 tensors that share 60,000 dimensions", model(p -> {
            p.extraTensors = MANY;
            p.extraShape = new int[MANY];
        }));
        files.put("60,000 tensors that share 60,000 scales", model(p -> {
            p.extraTensors = MANY;
            p.scales = new float[MANY];
        }));
        files.put("60,000 tensors that share a name of 60,000 letters", model(p -> {
            p.extraTensors = MANY;
            p.tensorName = "n".repeat(MANY);
        }));
        files.put("60,000 operators that share 60,000 outputs", model(p -> {
            p.operators = MANY;
            p.operatorOutputs = new int[MANY];
        }));
        files.put("two million tensors", model(p -> p.extraTensors = 2_000_000));
    }

    private static void addMetadata(Map<String, byte[]> files) {
        files.put("labels that are not there", model(p -> p.metadata = metadata("m", "none.txt", 1)));
        files.put("one label", withLabels(bytes("a\n")));
        files.put("a million labels", withLabels("x\n".repeat(1_000_000).getBytes()));
        files.put("eight million empty labels", withLabels("\n".repeat(8_000_000).getBytes()));
        files.put("labels of 20 MB", withLabels(new byte[20 << 20]));
        files.put("deviation 0", packed(model(p -> p.metadata = metadata("m", "labels.txt", 0)),
                "labels.txt", bytes("a\nb\nc\n")));
        files.put("deviation that is not a number",
                packed(model(p -> p.metadata = metadata("m", "labels.txt", Float.NaN)),
                        "labels.txt", bytes("a\nb\nc\n")));
        files.put("two deviations", packed(model(p -> p.metadata = metadata("m", "labels.txt", 1, 2)),
                "labels.txt", bytes("a\nb\nc\n")));
        files.put("metadata that is text", model(p -> p.metadata = bytes("metadata, but text")));
        files.put("metadata of another file", model(p -> p.metadata = model(q -> { })));
        files.put("record of 5,000 brackets", withRecord("[".repeat(5000)));
        files.put("record with brackets behind a text of brackets",
                withRecord("{\"a\":\"" + "]".repeat(5000) + "\",\"b\":" + "[".repeat(5000)));
        files.put("record of objects in objects", withRecord("{\"a\":".repeat(5000)));
        files.put("record of 10 MB", withRecord(" ".repeat(10 << 20)));
        files.put("empty record", withRecord(""));
        files.put("record that is a number", withRecord("7"));
        files.put("record without a size", withRecord("{\"channel_order\":\"RGB\",\"mean\":[0],\"scale\":[1]}"));
        files.put("record of blue first", withRecord(String.format(GOOD_RECORD, "").replace("RGB", "BGR")));
        files.put("record of another size", withRecord(String.format(GOOD_RECORD, "").replace("32", "33")));
        files.put("record that resizes to a billion",
                withRecord(String.format(GOOD_RECORD, "").replace("36", "1000000000")));
        files.put("record that resizes to less than it crops",
                withRecord(String.format(GOOD_RECORD, "").replace("36", "31")));
        files.put("record of infinite scale",
                withRecord(String.format(GOOD_RECORD, "").replace("\"scale\":[1]", "\"scale\":[1e999]")));
        files.put("100 files", packed(model(p -> p.metadata = metadata("m", "labels.txt", 1)), manyFiles()));
    }

    private static Object[] manyFiles() {
        Object[] files = new Object[200];
        for (int i = 0; i < files.length; i += 2) {
            files[i] = i + ".txt";
            files[i + 1] = new byte[1];
        }
        return files;
    }

    private static void addCuts(Map<String, byte[]> files) throws IOException {
        byte[] whole = Resources.model("colours_int8.tflite");
        files.put("empty", new byte[0]);
        files.put("one byte", new byte[1]);
        files.put("the first 8 bytes", Arrays.copyOf(whole, 8));
        files.put("the first half", Arrays.copyOf(whole, whole.length / 2));
        byte[] far = Arrays.copyOf(whole, 200 << 10);
        Arrays.fill(far, 0, 4, (byte) 0x7f);
        files.put("root outside of the file", far);
        byte[] self = whole.clone();
        Arrays.fill(self, 0, 4, (byte) 0);
        files.put("root that is its own offset", self);
        files.put("a right beginning and nothing behind it",
                Arrays.copyOf(new byte[] {16, 0, 0, 0, 'T', 'F', 'L', '3'}, 4 << 20));
        byte[] ones = new byte[1 << 20];
        Arrays.fill(ones, (byte) 0xff);
        System.arraycopy(new byte[] {16, 0, 0, 0, 'T', 'F', 'L', '3'}, 0, ones, 0, 8);
        files.put("a right beginning and ones behind it", ones);
    }

    /** Odd files that are read all the same, by name. */
    static Map<String, byte[]> harmless() {
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put("nothing but input and output", model(p -> { }));
        files.put("a name of a million letters", packed(
                model(p -> p.metadata = metadata("n".repeat(900_000), "labels.txt", 1)),
                "labels.txt", bytes("a\nb\nc")));
        files.put("labels of a million letters",
                withLabels(bytes("x".repeat(1_000_000) + "\nb\nc\n")));
        files.put("labels of control characters", withLabels(bytes("\u0000\n\u202e\n\u2028\r\n")));
        files.put("records with more in them", withRecord(String.format(GOOD_RECORD, ",\"new\":[[1]]")));
        return files;
    }
}
