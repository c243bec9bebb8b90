package org.sqzkit.demo;

import android.os.Handler;
import android.os.Looper;
import java.io.Closeable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.sqzkit.demo.image.FrameConverter;
import org.sqzkit.demo.image.Pixels;
import org.sqzkit.demo.model.Classifier;
import org.sqzkit.demo.model.LoadedModel;

/** One open model on its own thread, so that a model that hangs blocks nothing else. */
final class ModelRunner implements Closeable {
    /** How many classes are shown. */
    static final int TOP_K = 5;

    static final long LIMIT_MILLIS = 30_000;

    private static final int MEDIAN_OF = 15;

    private final Handler main = new Handler(Looper.getMainLooper());
    private final ExecutorService thread =
            Executors.newSingleThreadExecutor(work -> new Thread(work, "model"));
    private final LoadedModel model;
    private final Classifier classifier;
    private final CrashGuard guard;
    private final FrameConverter frames;
    private final FrameMean mean = new FrameMean();
    private final RollingMedian preprocessing = new RollingMedian(MEDIAN_OF);
    private final RollingMedian inference = new RollingMedian(MEDIAN_OF);

    /** Takes over {@code classifier}, which {@link #close} closes. */
    ModelRunner(LoadedModel model, Classifier classifier, CrashGuard guard) {
        this.model = model;
        this.classifier = classifier;
        this.guard = guard;
        frames = new FrameConverter(model.file().geometry());
    }

    LoadedModel model() {
        return model;
    }

    /** Converts camera frames for this model; on the model's thread only. */
    FrameConverter frames() {
        return frames;
    }

    /** Makes the pixels to classify, on the model's thread. */
    interface Source {
        /** Returns null if there is nothing to classify any more. */
        Pixels pixels();
    }

    /** Classifies one picture by itself. */
    boolean classify(Source source, Consumer<Result> done, Consumer<AppError> failed) {
        return classify(source, false, done, failed);
    }

    /**
     * Classifies one picture.
     *
     * @param smooth whether the result is the mean of this and the pictures before it
     * @param done gets the result on the main thread, null if there were no pixels
     * @param failed gets the error on the main thread; the model should not be used any more
     * @return whether the picture will be classified; not if the model is closed
     */
    boolean classify(
            Source source, boolean smooth, Consumer<Result> done, Consumer<AppError> failed) {
        AtomicBoolean answered = new AtomicBoolean();
        Runnable limit = () -> {
            if (answered.compareAndSet(false, true)) {
                classifier.cancel();
                failed.accept(new AppError(R.string.error_timeout));
            }
        };
        try {
            thread.execute(() -> {
                Runnable outcome = outcome(source, smooth, done, failed);
                main.post(() -> {
                    main.removeCallbacks(limit);
                    if (answered.compareAndSet(false, true)) {
                        outcome.run();
                    }
                });
            });
        } catch (RejectedExecutionException e) {
            return false;
        }
        main.postDelayed(limit, LIMIT_MILLIS);
        return true;
    }

    private Runnable outcome(
            Source source, boolean smooth, Consumer<Result> done, Consumer<AppError> failed) {
        try {
            Result result = run(source, smooth);
            return () -> done.accept(result);
        } catch (Throwable thrown) {
            // Not only exceptions: a model may need more memory for some pictures than there is.
            AppError error = AppError.of(thrown);
            return () -> failed.accept(error);
        }
    }

    private Result run(Source source, boolean smooth) throws AppError {
        long start = System.nanoTime();
        Pixels pixels = source.pixels();
        if (pixels == null) {
            return null;
        }
        long converting = System.nanoTime() - start;
        guard.enter(model.entry().id());
        try {
            Classifier.Classification found = classifier.classify(pixels);
            preprocessing.add(converting + found.preprocessing());
            inference.add(found.inference());
            if (!smooth) {
                mean.clear();
            }
            float[] shown = smooth ? mean.add(found.probabilities()) : found.probabilities();
            return new Result(classifier.topK(shown, TOP_K), model.title(),
                    converting + found.preprocessing(), found.inference(),
                    preprocessing.median(), inference.median(), preprocessing.size());
        } finally {
            guard.leave();
        }
    }

    /** Closes the model after what its thread has to do. */
    @Override
    public void close() {
        if (!thread.isShutdown()) {
            thread.execute(classifier::close);
            thread.shutdown();
        }
    }

    /** Waits until the model has nothing to do, for tests. */
    boolean awaitIdle(long time, TimeUnit unit) throws Exception {
        return thread.isShutdown() ? thread.awaitTermination(time, unit)
                : thread.submit(() -> true).get(time, unit);
    }
}
