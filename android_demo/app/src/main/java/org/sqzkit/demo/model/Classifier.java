package org.sqzkit.demo.model;

import java.io.Closeable;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.sqzkit.demo.R;
import org.sqzkit.demo.Trouble;
import org.sqzkit.demo.image.Pixels;
import org.sqzkit.demo.image.Squares;
import org.tensorflow.lite.Interpreter;

/** Runs one model on photographs. Not for several threads at once. */
public final class Classifier implements Closeable {
    private static final Pattern UNKNOWN_OPERATOR =
            Pattern.compile("(?:opcode |custom op: ?|op: |custom op )'?([A-Za-z0-9_]+)'?");

    private final ModelFile model;
    private final Interpreter interpreter;
    private final InputEncoder encoder;
    private final OutputDecoder decoder;

    /**
     * Prepares a model and runs it once on an empty picture, so that a file that cannot run is
     * refused here.
     *
     * @param content the .tflite, in direct memory, unchanged as long as this is open
     */
    public Classifier(ModelFile model, ByteBuffer content, RunOptions options) throws Trouble {
        this.model = model;
        Interpreter.Options settings = new Interpreter.Options();
        settings.setNumThreads(options.threads());
        settings.setUseXNNPACK(options.xnnpack());
        Interpreter made = null;
        try {
            made = new Interpreter(content, settings);
            encoder = new InputEncoder(model);
            decoder = new OutputDecoder(model);
            made.run(encoder.encode(new byte[model.input.count()]), decoder.buffer());
            interpreter = made;
            made = null;
        } catch (IllegalArgumentException | IllegalStateException e) {
            throw refused(e);
        } catch (UnsatisfiedLinkError e) {
            // An x86_64 emulator with 16 KB pages, say: docs/android.md.
            throw new Trouble(R.string.trouble_library, firstLine(String.valueOf(e.getMessage())));
        } catch (OutOfMemoryError e) {
            throw new Trouble(R.string.trouble_memory);
        } finally {
            if (made != null) {
                made.close();
            }
        }
    }

    private static Trouble refused(RuntimeException e) {
        String message = String.valueOf(e.getMessage());
        Matcher operator = UNKNOWN_OPERATOR.matcher(message);
        boolean unknown = message.contains("Didn't find op") || message.contains("unresolved custom op")
                || message.contains("Encountered unresolved");
        if (unknown) {
            return new Trouble(R.string.trouble_operator, operator.find() ? operator.group(1) : "?");
        }
        return new Trouble(R.string.trouble_does_not_run, firstLine(message));
    }

    private static String firstLine(String message) {
        int end = message.indexOf('\n');
        return end < 0 ? message : message.substring(0, end);
    }

    /** Classifies one photograph. */
    public Classification classify(Pixels photograph) {
        long start = System.nanoTime();
        ByteBuffer input = encoder.encode(Squares.cut(photograph, model.geometry));
        long prepared = System.nanoTime();
        interpreter.run(input, decoder.buffer());
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

    public ModelFile model() {
        return model;
    }

    /** The {@code count} most probable classes, best first; of equals the lower index first. */
    public List<Prediction> best(float[] probabilities, int count) {
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

    /**
     * What one run gave.
     *
     * @param probabilities one for each class
     * @param preparing nanoseconds for resize, crop and encoding
     * @param inference nanoseconds for the model alone
     */
    public record Classification(float[] probabilities, long preparing, long inference) {}
}
