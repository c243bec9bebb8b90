package org.sqzkit.demo;

import android.graphics.Bitmap;
import android.os.Handler;
import android.os.Looper;
import java.io.Closeable;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.sqzkit.demo.image.BitmapPixels;
import org.sqzkit.demo.image.FrameConverter;
import org.sqzkit.demo.image.Pixels;
import org.sqzkit.demo.model.ActivationMap;
import org.sqzkit.demo.model.Classifier;
import org.sqzkit.demo.model.LoadedModel;
import org.sqzkit.demo.model.Prediction;
import org.sqzkit.teach.LastLayer;
import org.sqzkit.teach.TaughtHead;

/** One open model on its own thread, so that a model that hangs blocks nothing else. */
final class ModelRunner implements Closeable {
    /** How many classes are shown. */
    static final int TOP_K = 5;

    static final long LIMIT_MILLIS = 30_000;
    private static final long POLL_MILLIS = 100;

    private static final int MEDIAN_OF = 15;
    private static final int PICTURE_SIDE = 144;

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
    private volatile TaughtHead taught;

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

    /** Where the model's features are, or null if it cannot be taught. */
    LastLayer layer() {
        return classifier.layer();
    }

    /** Answers with a head of this model's features too; null for none. */
    void setTaught(TaughtHead head) {
        taught = head;
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

    /** How a picture is classified: by itself, as the next frame, or to be taught. */
    enum Purpose { ALONE, NEXT_FRAME, EXAMPLE }

    /** Classifies one picture by itself. */
    boolean classify(Source source, Consumer<Result> done, Consumer<AppError> failed) {
        return classify(source, Purpose.ALONE, done, failed);
    }

    /**
     * Classifies one picture.
     *
     * @param purpose as the next frame, the result is the mean of this and the pictures before it
     * @param done gets the result on the main thread, null if there were no pixels
     * @param failed gets the error on the main thread; the model should not be used any more
     * @return whether the picture will be classified; not if the model is closed
     */
    boolean classify(
            Source source, Purpose purpose, Consumer<Result> done, Consumer<AppError> failed) {
        AtomicBoolean answered = new AtomicBoolean();
        Runnable limit = () -> {
            if (answered.compareAndSet(false, true)) {
                classifier.cancel();
                failed.accept(new AppError(R.string.error_timeout));
            }
        };
        try {
            thread.execute(() -> {
                Runnable outcome = outcome(source, purpose, done, failed);
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

    /** Classifies one picture by itself for a task, which waits for the result. */
    Result classify(Pixels pixels, Task waiting) throws Exception {
        Future<Result> result;
        try {
            result = thread.submit(() -> run(() -> pixels, Purpose.ALONE));
        } catch (RejectedExecutionException e) {
            throw new AppError(R.string.error_video_model);
        }
        for (long waited = 0; waited < LIMIT_MILLIS; waited += POLL_MILLIS) {
            try {
                return result.get(POLL_MILLIS, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                waiting.progress();
            } catch (ExecutionException e) {
                throw AppError.of(e.getCause());
            }
        }
        classifier.cancel();
        throw new AppError(R.string.error_timeout);
    }

    private Runnable outcome(
            Source source, Purpose purpose, Consumer<Result> done, Consumer<AppError> failed) {
        try {
            Result result = run(source, purpose);
            return () -> done.accept(result);
        } catch (Throwable thrown) {
            // Not only exceptions: a model may need more memory for some pictures than there is.
            AppError error = AppError.of(thrown);
            return () -> failed.accept(error);
        }
    }

    private Result run(Source source, Purpose purpose) throws AppError {
        long start = System.nanoTime();
        Pixels pixels = source.pixels();
        if (pixels == null) {
            return null;
        }
        long converting = System.nanoTime() - start;
        guard.enter(model.entry().id());
        try {
            Classifier.Classification found = classifier.classify(pixels);
            preprocessing.add(converting + found.preprocessing);
            inference.add(found.inference);
            boolean smooth = purpose == Purpose.NEXT_FRAME;
            if (!smooth) {
                mean.clear();
            }
            float[] shown = smooth ? mean.add(found.probabilities) : found.probabilities;
            List<Prediction> best = classifier.topK(shown, TOP_K);
            short[] features = classifier.layer() == null ? null : classifier.features();
            TaughtHead head = features == null ? null : taught;
            Result.Taught answer = head == null ? null : answer(head, features);
            return new Result(best, model.title(),
                    converting + found.preprocessing, found.inference,
                    preprocessing.median(), inference.median(), preprocessing.size(),
                    answer, map(head, answer, best.get(0)), purpose == Purpose.EXAMPLE
                            && features != null ? new Result.Example(features, picture()) : null);
        } finally {
            guard.leave();
        }
    }

    static Result.Taught answer(TaughtHead head, short[] features) {
        double[] probabilities = head.probabilities(features);
        List<Prediction> all = new ArrayList<>();
        for (int i = 0; i < probabilities.length; i++) {
            all.add(new Prediction(i, head.labels().get(i), (float) probabilities[i]));
        }
        all.sort((a, b) -> Float.compare(b.probability(), a.probability()));
        List<Prediction> best = new ArrayList<>(all.subList(0, Math.min(TOP_K, all.size())));
        return new Result.Taught(best, head.isNone(features));
    }

    private ActivationMap map(TaughtHead head, Result.Taught answer, Prediction best) {
        if (answer != null) {
            return classifier.map(head.coefficients(answer.best().get(0).index()));
        }
        return classifier.map(best.index());
    }

    /** Returns a small JPEG of what the model saw. */
    private byte[] picture() {
        byte[] square = classifier.square();
        int[] pixels = new int[square.length / 3];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = 0xff000000 | (square[3 * i] & 255) << 16 | (square[3 * i + 1] & 255) << 8
                    | square[3 * i + 2] & 255;
        }
        int width = model.file().geometry().cropWidth();
        Bitmap whole = Bitmap.createBitmap(
                pixels, width, pixels.length / width, Bitmap.Config.ARGB_8888);
        return BitmapPixels.jpeg(Bitmap.createScaledBitmap(whole, PICTURE_SIDE, PICTURE_SIDE, true));
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
