package org.sqzkit.demo.model;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.sqzkit.demo.AppError;
import org.tensorflow.lite.Interpreter;

/** Measures how fast a model runs in one way, from opening it to many runs. */
public final class Benchmark {
    /** Fewer runs say nothing about how much they vary. */
    public static final int MIN_RUNS = 10;
    public static final int MAX_RUNS = 50;

    private static final int WARM_UP = 2;
    private static final long ENOUGH_NANOS = 2_000_000_000L;

    private Benchmark() {}

    /**
     * What was measured.
     *
     * @param open nanoseconds until the model can run
     * @param first nanoseconds of the first run
     * @param p50, p90 nanoseconds, percentiles of the {@code runs} runs after the warm-up
     * @param memory bytes that {@code memory} grew by
     */
    public record Times(long open, long first, long p50, long p90, int runs, long memory) {}

    /**
     * Opens a model by itself and runs it on noise.
     *
     * @param memory bytes in use
     * @param canceller gets what ends the present run early, from any thread
     * @param progress called between the runs; may throw to stop
     */
    public static Times measure(LoadedModel model, RunOptions options, LongSupplier memory,
            Consumer<Runnable> canceller, Runnable progress) throws AppError {
        byte[] noise = new byte[model.file().input.count()];
        new Random(1).nextBytes(noise);
        ByteBuffer input = new InputEncoder(model.file()).encode(noise);
        OutputDecoder output = new OutputDecoder(model.file());
        long before = memory.getAsLong();
        long start = System.nanoTime();
        try (Interpreter interpreter =
                new Interpreter(model.content(), Classifier.settings(options))) {
            canceller.accept(() -> interpreter.setCancelled(true));
            try {
                interpreter.allocateTensors();
                long open = System.nanoTime() - start;
                LongSupplier run = () -> run(interpreter, input, output);
                long first = run.getAsLong();
                for (int i = 0; i < WARM_UP; i++) {
                    progress.run();
                    run.getAsLong();
                }
                long[] times = repeat(run, progress);
                return new Times(open, first, percentile(times, 50), percentile(times, 90),
                        times.length, Math.max(0, memory.getAsLong() - before));
            } finally {
                canceller.accept(() -> { }); // before the interpreter is closed
            }
        } catch (IllegalArgumentException | IllegalStateException e) {
            throw Classifier.refused(e);
        }
    }

    private static long[] repeat(LongSupplier run, Runnable progress) {
        long[] times = new long[MAX_RUNS];
        int count = 0;
        for (long sum = 0; count < MAX_RUNS && (count < MIN_RUNS || sum < ENOUGH_NANOS); count++) {
            progress.run();
            times[count] = run.getAsLong();
            sum += times[count];
        }
        return Arrays.copyOf(times, count);
    }

    private static long run(Interpreter interpreter, ByteBuffer input, OutputDecoder output) {
        ((Buffer) input).rewind();
        long start = System.nanoTime();
        interpreter.run(input, output.buffer());
        return System.nanoTime() - start;
    }

    /** Returns the smallest value that at least {@code percent} % of the values do not exceed. */
    static long percentile(long[] values, int percent) {
        long[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[(sorted.length * percent + 99) / 100 - 1];
    }
}
