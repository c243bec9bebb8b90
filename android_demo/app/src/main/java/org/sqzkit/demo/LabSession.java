package org.sqzkit.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.os.Debug;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.sqzkit.demo.image.BitmapPixels;
import org.sqzkit.demo.model.AtomicFiles;
import org.sqzkit.demo.model.Benchmark;
import org.sqzkit.demo.model.Classifier;
import org.sqzkit.demo.model.LoadedModel;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.RunOptions;

/**
 * A second model beside the one in use, and how fast both run. Main thread only.
 *
 * <p>The second model is open only while it runs. Each measured row is on the disk before it is
 * shown, as CSV.
 */
final class LabSession {
    private final StateStore store;
    private final TaskRunner tasks;
    private final CrashGuard guard;
    private final Preferences preferences;
    private final ModelSession models;
    private final File sheet;
    private LongSupplier memory = Debug::getNativeHeapAllocatedSize;
    private Task benchmark;
    private Task comparison;
    private Task opening;
    private volatile ModelRunner live;
    /** What the present comparison is about. */
    private Bitmap comparedPhoto;
    private String comparedModel = "";

    LabSession(Context context, StateStore store, TaskRunner tasks, CrashGuard guard,
            Preferences preferences, ModelSession models) {
        this.store = store;
        this.tasks = tasks;
        this.guard = guard;
        this.preferences = preferences;
        this.models = models;
        sheet = new File(context.getFilesDir(), "benchmark.csv");
        tasks.start(PhotoSession.LIMIT_MILLIS, running -> stored(), rows -> store.updateLab(
                lab -> lab.rows().isEmpty() ? lab.with(rows, lab.total()) : lab), error -> { });
    }

    private List<BenchmarkRow> stored() throws IOException {
        return sheet.exists() ? BenchmarkRow.read(StandardCharsets.UTF_8.decode(
                AtomicFiles.map(sheet)).toString()) : new ArrayList<>();
    }

    /** Measures memory with something else, for tests. */
    void measureMemoryWith(LongSupplier supplier) {
        memory = supplier;
    }

    /** The model to compare with; null if there is none, or if it is the one in use. */
    ModelEntry second() {
        LoadedModel current = store.state().models().current();
        for (ModelEntry entry : store.state().models().entries()) {
            boolean used = current != null && current.entry().id().equals(entry.id());
            if (entry.id().equals(preferences.second()) && !used) {
                return entry;
            }
        }
        return null;
    }

    /** Compares with this model from now on; with none for null. */
    void setSecond(ModelEntry entry) {
        preferences.setSecond(entry == null ? "" : entry.id());
        compare();
    }

    /** Classifies the photo on the screen with the second model, unless it has been. */
    void compare() {
        Bitmap photo = store.state().photo().bitmap();
        ModelEntry entry = second();
        String id = entry == null ? "" : entry.id();
        if (photo == comparedPhoto && id.equals(comparedModel)) {
            return;
        }
        comparedPhoto = photo;
        comparedModel = id;
        tasks.cancel(comparison);
        comparison = null;
        store.updateLab(lab -> lab.with((Result) null).with((AppError) null));
        if (photo == null || entry == null) {
            return;
        }
        RunOptions options = store.state().options();
        comparison = tasks.start(ModelSession.LIMIT_MILLIS,
                running -> classify(models.load(entry, running), options, photo, running),
                result -> store.updateLab(lab -> lab.with(result)), this::fail);
    }

    /** The second model while it answers in the live view, else null; from any thread. */
    ModelRunner live() {
        return live;
    }

    /** Opens the second model for the live view. */
    void openLive(Consumer<AppError> failed) {
        closeLive();
        ModelEntry entry = second();
        RunOptions options = store.state().options();
        if (entry != null) {
            opening = tasks.start(ModelSession.LIMIT_MILLIS,
                    running -> models.runner(entry, options, running), runner -> live = runner, failed);
        }
    }

    /** Closes the second model of the live view. */
    void closeLive() {
        tasks.cancel(opening);
        opening = null;
        if (live != null) {
            live.close();
            live = null;
        }
    }

    private Result classify(LoadedModel model, RunOptions options, Bitmap photo, Task running)
            throws AppError {
        running.progress();
        guard.enter(model.entry().id());
        try (Classifier classifier =
                Classifier.open(model.file(), model.content(), options, running::onCancel)) {
            return classify(classifier, model, photo, running);
        } finally {
            guard.leave();
        }
    }

    private static Result classify(Classifier classifier, LoadedModel model, Bitmap photo,
            Task running) throws AppError {
        running.onCancel(classifier::cancel);
        try {
            Classifier.Classification found = classifier.classify(new BitmapPixels(photo));
            return new Result(classifier.topK(found.probabilities, ModelRunner.TOP_K),
                    model.title(), found.preprocessing, found.inference, 0, 0, 1,
                    null, null, null);
        } finally {
            running.onCancel(() -> { }); // before the classifier is closed
        }
    }

    /** Shows what went wrong; a benchmark that is running goes on. */
    private void fail(AppError error) {
        store.updateLab(lab -> lab.with(error));
    }

    /** The ways in which each model is measured on this phone. */
    static List<RunOptions> ways() {
        TreeSet<Integer> threads = new TreeSet<>(Arrays.asList(1, RunOptions.maxThreads()));
        for (int count = 2; count < RunOptions.maxThreads(); count *= 2) {
            threads.add(count);
        }
        List<RunOptions> ways = new ArrayList<>();
        for (int count : threads) {
            ways.add(new RunOptions(count, true));
            ways.add(new RunOptions(count, false));
        }
        return ways;
    }

    /** Measures the model in use, and the second one if there is one. */
    void measure() {
        LoadedModel current = store.state().models().current();
        if (current == null) {
            return;
        }
        List<ModelEntry> entries = new ArrayList<>(Collections.singletonList(current.entry()));
        ModelEntry second = second();
        if (second != null) {
            entries.add(second);
        }
        cancel();
        int total = entries.size() * ways().size();
        store.updateLab(lab -> lab.with(new ArrayList<>(), total).with((AppError) null));
        benchmark = tasks.start(ModelSession.LIMIT_MILLIS, running -> measure(entries, running),
                rows -> store.updateLab(lab -> lab.with(rows, 0)),
                error -> store.updateLab(lab -> lab.with(lab.rows(), 0).with(error)));
    }

    private List<BenchmarkRow> measure(List<ModelEntry> entries, Task running) throws AppError {
        List<BenchmarkRow> rows = new ArrayList<>();
        for (ModelEntry entry : entries) {
            LoadedModel model = models.load(entry, running);
            for (RunOptions way : ways()) {
                rows.add(BenchmarkRow.of(model, way, times(model, way, running)));
                running.progress();
                AtomicFiles.write(csv(rows), sheet);
                List<BenchmarkRow> shown = new ArrayList<>(rows);
                tasks.post(running, () -> store.updateLab(lab -> lab.with(shown, lab.total())));
            }
        }
        return rows;
    }

    private Benchmark.Times times(LoadedModel model, RunOptions way, Task running) {
        running.progress();
        guard.enter(model.entry().id());
        try {
            return Benchmark.measure(model, way, memory, running::onCancel, running::progress);
        } catch (AppError e) {
            return null; // a model may run without XNNPACK only
        } finally {
            guard.leave();
        }
    }

    /** Returns the sheet as a file. */
    static byte[] csv(List<BenchmarkRow> rows) {
        return BenchmarkRow.csv(rows).getBytes(StandardCharsets.UTF_8);
    }

    /** Stops measuring; the rows so far stay. */
    void cancel() {
        tasks.cancel(benchmark);
        store.updateLab(lab -> lab.with(lab.rows(), 0));
    }

    /** Waits until the second model of the live view has nothing to do, for tests. */
    boolean awaitIdle(long time, TimeUnit unit) throws Exception {
        ModelRunner waiting = live;
        return waiting == null || waiting.awaitIdle(time, unit);
    }

    void close() {
        tasks.cancel(benchmark);
        tasks.cancel(comparison);
        closeLive();
    }
}
