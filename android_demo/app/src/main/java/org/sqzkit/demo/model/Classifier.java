package org.sqzkit.demo.model;

import java.io.Closeable;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;
import org.sqzkit.demo.image.Pixels;
import org.sqzkit.demo.image.Resizer;
import org.sqzkit.teach.HeadException;
import org.sqzkit.teach.LastLayer;
import org.tensorflow.lite.Interpreter;

/** Runs one model on photographs. Not for several threads at once. */
public final class Classifier implements Closeable {
    private static final int MAX_MESSAGE_LENGTH = 300;
    /** A model is copied to be taught; larger ones cannot be. */
    private static final int MAX_TAUGHT_BYTES = 64 << 20;
    private static final Pattern UNKNOWN_OPERATOR =
            Pattern.compile("(?:opcode |custom op: ?|op: |custom op )'?([A-Za-z0-9_]+)'?");

    /** TensorFlow Lite's words for an operator that it knows in older versions only. */
    private static final Pattern NEWER_OPERATOR = Pattern.compile(
            "Didn't find op for builtin opcode '([A-Z0-9_]+)' version '([0-9]+)'");

    private final ModelFile model;
    private final Interpreter interpreter;
    private final Resizer resizer;
    private final InputEncoder encoder;
    private final OutputDecoder decoder;
    /** Where the features are, or null if the model cannot be taught. */
    private final LastLayer layer;
    /** The features' activation, and the class map if there is one; by number of the output. */
    private final Map<Integer, ByteBuffer> maps = new HashMap<>();

    private Classifier(ModelFile model, Interpreter interpreter, LastLayer layer) {
        this.model = model;
        this.interpreter = interpreter;
        this.layer = layer;
        for (int i = 1; layer != null && i < layer.outputs(); i++) {
            maps.put(i, ByteBuffer.allocateDirect(layer.activationBytes(i))
                    .order(ByteOrder.nativeOrder()));
        }
        resizer = new Resizer(model.geometry);
        encoder = new InputEncoder(model);
        decoder = new OutputDecoder(model);
    }

    /** Opens a model that nothing cancels. */
    public static Classifier open(ModelFile model, ByteBuffer content, RunOptions options)
            throws AppError {
        return open(model, content, options, cancel -> { });
    }

    /**
     * Opens a model and runs it once on an empty picture, so that a file that cannot run is refused
     * here.
     *
     * @param content the .tflite, in direct memory, unchanged as long as the classifier is open
     * @param canceller gets what ends the run early, from any thread
     */
    public static Classifier open(ModelFile model, ByteBuffer content, RunOptions options,
            Consumer<Runnable> canceller) throws AppError {
        LastLayer layer = lastLayer(content);
        if (layer != null) {
            try {
                return open(model, content, options, canceller, layer);
            } catch (AppError e) {
                layer = null; // perhaps it runs without the further outputs
            }
        }
        return open(model, content, options, canceller, layer);
    }

    private static Classifier open(ModelFile model, ByteBuffer content, RunOptions options,
            Consumer<Runnable> canceller, LastLayer layer) throws AppError {
        Interpreter made = null;
        try {
            made = new Interpreter(layer == null ? content : direct(layer), settings(options));
            Interpreter running = made;
            canceller.accept(() -> running.setCancelled(true));
            Classifier classifier = new Classifier(model, made, layer);
            classifier.run(classifier.encoder.encode(new byte[model.input.count()]));
            made = null;
            return classifier;
        } catch (UnsatisfiedLinkError e) {
            // An x86_64 emulator with 16 KB pages, say: docs/android.md.
            throw new AppError(R.string.error_library, firstLine(String.valueOf(e.getMessage())));
        } catch (IllegalArgumentException | IllegalStateException e) {
            throw refused(e);
        } finally {
            canceller.accept(() -> { }); // a later cancellation is not about this interpreter
            if (made != null) {
                made.close();
            }
        }
    }

    /** Returns where a model's features are, or null if it cannot be taught. */
    private static LastLayer lastLayer(ByteBuffer content) {
        try {
            return content.limit() > MAX_TAUGHT_BYTES ? null : LastLayer.find(content);
        } catch (HeadException e) {
            return null;
        }
    }

    /** Returns a model that gives its features, in direct memory. */
    private static ByteBuffer direct(LastLayer layer) throws AppError {
        try {
            byte[] teachable = layer.teachable();
            ByteBuffer out = ByteBuffer.allocateDirect(teachable.length)
                    .order(ByteOrder.nativeOrder());
            out.put(teachable);
            return out;
        } catch (HeadException e) {
            throw new AppError(R.string.error_damaged_model);
        }
    }

    /** Makes TensorFlow Lite's own record of the options. */
    static Interpreter.Options settings(RunOptions options) {
        Interpreter.Options settings = new Interpreter.Options();
        settings.setNumThreads(options.threads());
        settings.setUseXNNPACK(options.xnnpack());
        settings.setCancellable(true);
        return settings;
    }

    private void run(ByteBuffer input) throws AppError {
        try {
            Map<Integer, Object> outputs = new HashMap<>();
            outputs.put(0, decoder.buffer());
            for (Map.Entry<Integer, ByteBuffer> map : maps.entrySet()) {
                ((Buffer) map.getValue()).rewind();
                outputs.put(map.getKey(), map.getValue());
            }
            interpreter.runForMultipleInputsOutputs(new Object[] {input}, outputs);
        } catch (IllegalArgumentException | IllegalStateException e) {
            throw refused(e);
        }
    }

    /** Ends the present run early; from any thread. The classifier cannot be used after that. */
    public void cancel() {
        interpreter.setCancelled(true);
    }

    static AppError refused(RuntimeException e) {
        String message = String.valueOf(e.getMessage());
        Matcher operator = UNKNOWN_OPERATOR.matcher(message);
        Matcher version = NEWER_OPERATOR.matcher(message);
        if (version.find()) {
            return new AppError(R.string.error_operator_version, version.group(1), version.group(2));
        }
        boolean unknown = message.contains("Didn't find op") || message.contains("unresolved custom op")
                || message.contains("Encountered unresolved");
        if (unknown) {
            return new AppError(R.string.error_operator, operator.find() ? operator.group(1) : "?");
        }
        return new AppError(R.string.error_does_not_run, firstLine(message));
    }

    private static String firstLine(String message) {
        int end = message.indexOf('\n');
        String line = end < 0 ? message : message.substring(0, end);
        return line.substring(0, Math.min(line.length(), MAX_MESSAGE_LENGTH));
    }

    /** Classifies one photo. */
    public Classification classify(Pixels photo) throws AppError {
        long start = System.nanoTime();
        ByteBuffer input = encoder.encode(resizer.resizeAndCrop(photo));
        long prepared = System.nanoTime();
        run(input);
        long done = System.nanoTime();
        return new Classification(decoder.probabilities(), prepared - start, done - prepared);
    }

    /** The input tensor for the bytes of a picture of the model's size; one buffer for all calls. */
    public ByteBuffer encode(byte[] square) {
        return encoder.encode(square);
    }

    /** The probabilities that an output tensor of these bytes means. */
    public float[] decode(byte[] output) {
        decoder.buffer().put(output);
        return decoder.probabilities();
    }

    /** Where the features are, or null if the model cannot be taught. */
    public LastLayer layer() {
        return layer;
    }

    /** The features of the photo classified last. */
    public short[] features() {
        return layer.average(maps.get(1));
    }

    /** How much each place of the photo classified last speaks for a class of a head. */
    public ActivationMap map(double[] coefficients) {
        return ActivationMap.of(layer.map(maps.get(1), coefficients), layer.places()[1]);
    }

    /** How much each place speaks for one of the model's own classes; null if it does not say. */
    public ActivationMap map(int label) {
        ByteBuffer map = maps.get(2);
        return map == null || layer.mapClasses() != model.classes() ? null
                : ActivationMap.of(layer.channel(map, label), layer.places()[1]);
    }

    /** The picture that the model saw last: RGB bytes, row after row. */
    public byte[] square() {
        return resizer.last();
    }

    public ModelFile model() {
        return model;
    }

    /** Returns the {@code count} most probable classes, best first; of equals the lower index first. */
    public List<Prediction> topK(float[] probabilities, int count) {
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < probabilities.length; i++) {
            order.add(i);
        }
        order.sort((a, b) -> Float.compare(probabilities[b], probabilities[a]));
        List<Prediction> best = new ArrayList<>();
        for (int index : order.subList(0, Math.min(count, order.size()))) {
            best.add(new Prediction(index, model.label(index), probabilities[index]));
        }
        return best;
    }

    @Override
    public void close() {
        interpreter.close();
    }

    /** The outcome of one run. */
    public static final class Classification {
        /** One for each class. */
        public final float[] probabilities;
        /** Nanoseconds for resizing, cropping and encoding. */
        public final long preprocessing;
        /** Nanoseconds for the model alone. */
        public final long inference;

        private Classification(float[] probabilities, long preprocessing, long inference) {
            this.probabilities = probabilities;
            this.preprocessing = preprocessing;
            this.inference = inference;
        }
    }
}
