package org.sqzkit.demo;

import android.content.Context;
import android.net.Uri;
import java.io.Closeable;
import java.io.File;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.sqzkit.demo.model.Additions;
import org.sqzkit.demo.model.AtomicFiles;
import org.sqzkit.demo.model.Classifier;
import org.sqzkit.demo.model.LoadedModel;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.ModelStore;
import org.sqzkit.demo.model.RunOptions;
import org.sqzkit.demo.model.StorageUse;
import org.sqzkit.sqz.Progress;

/**
 * The model in use: taken from another app, expanded, opened, tried, replaced. Main thread only.
 *
 * <p>If a model cannot be used, the model before it stays in use. A model that fails while
 * it runs is put aside, and the one before it, or one that came with the app, takes its place.
 */
final class ModelSession {
    static final long LIMIT_MILLIS = 60_000;

    private final StateStore state;
    private final TaskRunner tasks;
    private final CrashGuard guard;
    private final Preferences preferences;
    private final ContentReader content;
    private final ModelStore models;
    private final PhotoSession photos;
    private final Set<String> failed = new HashSet<>();
    private TeachSession teaching;
    private volatile ModelRunner runner;
    private Task task;
    private Runnable pending;
    private String former = "";

    ModelSession(Context context, StateStore state, TaskRunner tasks, CrashGuard guard,
            Preferences preferences, PhotoSession photos) {
        this.state = state;
        this.tasks = tasks;
        this.guard = guard;
        this.preferences = preferences;
        this.photos = photos;
        content = new ContentReader(context.getContentResolver());
        models = new ModelStore(context);
    }

    /** Sets what the models are taught. */
    void connect(TeachSession session) {
        teaching = session;
    }

    /** The model in use, or null; from any thread. */
    ModelRunner runner() {
        return runner;
    }

    /** What a task ended with. Not a record: methods that nothing calls would take room in the APK. */
    private static final class Outcome implements Closeable {
        /** The model to use from now on, or null to keep the present one. */
        final ModelRunner runner;
        /** What to tell the user, or null. */
        final AppState.Failure failure;
        final List<ModelEntry> entries;
        final StorageUse storage;

        Outcome(ModelRunner runner, AppState.Failure failure, List<ModelEntry> entries, StorageUse storage) {
            this.runner = runner;
            this.failure = failure;
            this.entries = entries;
            this.storage = storage;
        }

        @Override
        public void close() {
            if (runner != null) {
                runner.close();
            }
        }
    }

    /** Opens the model used last, or if it is gone or broken, any that came with the app. */
    void openFirst() {
        String suspect = guard.suspect();
        AppState.Failure crash = null;
        if (ModelEntry.isId(suspect)) {
            failed.add(suspect);
            crash = new AppState.Failure(new ModelEntry(suspect, 0).fileName(),
                    new AppError(R.string.error_model_crashed));
        }
        openAny(preferences.model(), crash);
    }

    /** Opens {@code wanted}, or if that fails a bundled model; none that failed while running. */
    private void openAny(String wanted, AppState.Failure reason) {
        Set<String> avoided = new HashSet<>(failed);
        RunOptions options = state.state().options();
        start(Step.OPENING, "", true, running -> {
            AppState.Failure first = reason;
            for (ModelEntry entry : candidates(wanted, avoided)) {
                try {
                    return outcome(open(entry, options, running), first);
                } catch (Exception | StackOverflowError | OutOfMemoryError e) {
                    running.progress();
                    first = first != null ? first
                            : new AppState.Failure(entry.fileName(), AppError.of(e));
                }
            }
            return outcome(null, first);
        });
    }

    private List<ModelEntry> candidates(String wanted, Set<String> avoided) throws AppError {
        List<ModelEntry> found = new ArrayList<>();
        for (ModelEntry entry : models.list()) {
            if (avoided.contains(entry.id())) {
                continue;
            }
            if (entry.id().equals(wanted)) {
                found.add(0, entry);
            } else if (entry.bundled()) {
                found.add(entry);
            }
        }
        return found;
    }

    /** Changes to one of the listed models. */
    void choose(ModelEntry entry) {
        failed.remove(entry.id());
        RunOptions options = state.state().options();
        start(Step.OPENING, entry.fileName(),
                running -> outcome(open(entry, options, running), null));
    }

    /** Takes a model file from another app and changes to it. */
    void open(Uri uri) {
        RunOptions options = state.state().options();
        start(Step.COPYING, String.valueOf(uri.getLastPathSegment()), running -> {
            String name = content.displayName(uri);
            File incoming = models.newIncoming();
            try {
                ContentReader.copy(() -> content.open(uri), incoming, ModelStore.MAX_BYTES,
                        ModelStore::checkHeader, R.string.error_unreadable, running);
                return outcome(add(incoming, name, options, running), null);
            } catch (AppError e) {
                running.progress();
                return outcome(null, new AppState.Failure(name, e));
            } finally {
                incoming.delete();
            }
        });
    }

    /** Gives the model in use the class names of a text file of another app. */
    void addLabels(Uri uri) {
        change(Step.COPYING, (model, running) -> {
            File incoming = models.newIncoming();
            try {
                ContentReader.copy(() -> content.open(uri), incoming, Additions.MAX_BYTES,
                        AtomicFiles.Header.ANY, R.string.error_unreadable, running);
                models.additions().addLabels(model, incoming);
            } finally {
                incoming.delete();
            }
        });
    }

    /** Prepares pixels in this way for the model in use. */
    void setNormalization(Additions.Choice choice) {
        change(Step.OPENING, (model, running) -> models.additions().setNormalization(model, choice));
    }

    /** Changes what is known about a model. */
    private interface Change {
        void apply(LoadedModel model, Task running) throws AppError;
    }

    private void change(Step step, Change change) {
        LoadedModel model = state.state().models().current();
        RunOptions options = state.state().options();
        if (model == null) {
            pending = () -> change(step, change); // asked for in a former process: its model is being opened
            return;
        }
        start(step, model.entry().fileName(), running -> {
            change.apply(model, running);
            return outcome(open(model.entry(), options, running), null);
        });
    }

    private ModelRunner add(File incoming, String name, RunOptions options, Task running)
            throws AppError {
        long release = models.applyUpdate(incoming, progress(running));
        ModelEntry same = models.sameContent(incoming);
        ModelRunner added;
        if (same != null) {
            added = open(same, options, running);
        } else {
            LoadedModel model = models.read(incoming, name, progress(running));
            Classifier classifier = tryOut(model, options, running);
            added = new ModelRunner(models.keep(incoming, model), classifier, guard);
        }
        // Only now: after a kill before this line, the same file is taken again.
        models.setTaken(release);
        return added;
    }

    private ModelRunner open(ModelEntry entry, RunOptions options, Task running) throws AppError {
        LoadedModel model = models.open(entry, progress(running));
        return new ModelRunner(model, tryOut(model, options, running), guard);
    }

    /** Reads a listed model without using it; from any thread. */
    LoadedModel load(ModelEntry entry, Task running) throws AppError {
        return models.open(entry, (done, total) -> running.progress());
    }

    /** Opens a listed model beside the one in use; from any thread. */
    ModelRunner runner(ModelEntry entry, RunOptions options, Task running) throws AppError {
        LoadedModel model = load(entry, running);
        return new ModelRunner(model, tryOut(model, options, running), guard);
    }

    private Classifier tryOut(LoadedModel model, RunOptions options, Task running) throws AppError {
        running.progress();
        guard.enter(model.entry().id());
        try {
            return Classifier.open(model.file(), model.content(), options, running::onCancel);
        } finally {
            guard.leave();
        }
    }

    private Progress progress(Task running) {
        int[] shown = {-1};
        return (done, total) -> {
            running.progress();
            int percent = total <= 0 ? 0 : (int) (100 * done / total);
            if (percent != shown[0]) {
                shown[0] = percent;
                tasks.post(running, () -> state.updateModels(now -> now.expanding(percent)));
            }
        };
    }

    /** Deletes a model that the user opened; if it is in use, another one takes its place. */
    void remove(ModelEntry entry) {
        start(Step.OPENING, entry.fileName(), running -> {
            models.remove(entry);
            return outcome(null, null);
        });
    }

    /** Deletes the expanded copies of archives; they are made again when they are needed. */
    void clearCopies() {
        start(Step.OPENING, "", running -> {
            models.clearCopies();
            return outcome(null, null);
        });
    }

    /** Runs models in another way from now on. */
    void setOptions(RunOptions options) {
        if (options.equals(state.state().options())) {
            return;
        }
        state.update(now -> now.with(options));
        preferences.setOptions(options);
        if (runner != null) {
            choose(runner.model().entry());
        }
    }

    /** Stops using a model that failed while it ran. */
    void putAside(ModelRunner broken, AppError error) {
        if (broken != runner) {
            return;
        }
        failed.add(broken.model().entry().id());
        drop();
        openAny(former, new AppState.Failure(broken.model().title(), error));
    }

    /** Stops what is being done for the next model. */
    void cancel() {
        tasks.cancel(task);
        state.updateModels(now -> now.with(Step.IDLE));
    }

    private void start(Step step, String name, TaskRunner.Work<Outcome> work) {
        start(step, name, false, work);
    }

    /**
     * Starts a task in place of the present one.
     *
     * @param last whether nothing else is to be tried if no model is open afterwards
     */
    private void start(Step step, String name, boolean last, TaskRunner.Work<Outcome> work) {
        tasks.cancel(task);
        state.updateModels(now -> now.with((AppState.Failure) null).with(step));
        task = tasks.start(LIMIT_MILLIS, work, outcome -> {
            apply(outcome);
            replaceNone(last, outcome.failure);
            if (runner != null && pending != null) {
                Runnable next = pending;
                pending = null;
                next.run();
            }
        }, error -> {
            AppState.Failure failure = new AppState.Failure(name, error);
            state.updateModels(now -> now.with(failure).with(Step.IDLE));
            replaceNone(last, failure);
        });
    }

    /** Opens a model if there is none: the task may have taken the place of the first opening. */
    private void replaceNone(boolean last, AppState.Failure failure) {
        if (runner == null && !last) {
            openAny(preferences.model(), failure);
        }
    }

    private Outcome outcome(ModelRunner next, AppState.Failure failure) throws AppError {
        return new Outcome(next, failure, models.list(), models.storage());
    }

    private void apply(Outcome outcome) {
        boolean changed = outcome.runner != null;
        boolean restored = changed && runner == null && photos.hasResultOf(outcome.runner.model());
        if (changed) {
            replace(outcome.runner);
        }
        LoadedModel current = runner == null ? null : runner.model();
        state.updateModels(now -> new AppState.Models(current, outcome.entries, outcome.failure,
                Step.IDLE, -1, outcome.storage));
        if (changed && !restored) {
            photos.classifyAgain();
        } else if (!changed && current != null && !lists(outcome.entries, current.entry())) {
            drop();
        }
    }

    private static boolean lists(List<ModelEntry> entries, ModelEntry wanted) {
        for (ModelEntry entry : entries) {
            if (entry.id().equals(wanted.id())) {
                return true;
            }
        }
        return false;
    }

    private void replace(ModelRunner next) {
        String id = next.model().entry().id();
        if (runner != null) {
            String last = runner.model().entry().id();
            former = last.equals(id) ? former : last;
            runner.close();
        }
        runner = next;
        teaching.use(next);
        preferences.setModel(id);
    }

    private void drop() {
        runner.close();
        runner = null;
        teaching.use(null);
        state.updateModels(now -> now.with((LoadedModel) null));
        photos.classifyAgain();
    }

    /** Waits until the model in use has nothing to do, for tests. */
    boolean awaitIdle(long time, TimeUnit unit) throws Exception {
        ModelRunner waiting = runner;
        return waiting == null || waiting.awaitIdle(time, unit);
    }

    void close() {
        tasks.cancel(task);
        if (runner != null) {
            runner.close();
        }
    }
}
