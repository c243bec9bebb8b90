package org.sqzkit.demo;

import android.content.Context;
import android.content.SharedPreferences;
import android.graphics.Bitmap;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.sqzkit.demo.image.BitmapPixels;
import org.sqzkit.demo.image.PhotoLoader;
import org.sqzkit.demo.image.Pixels;
import org.sqzkit.demo.model.Classifier;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.ModelStore;
import org.sqzkit.demo.model.OpenModel;
import org.sqzkit.demo.model.RunOptions;

/**
 * Everything that takes time, one thing after the other on one thread; what came out is put into
 * the {@link AppState} on the main thread.
 */
final class Engine {
    /** How many classes are shown. */
    static final int TOP = 5;

    private static final int MEDIAN_OF = 15;
    private static final String MODEL = "model";
    private static final String THREADS = "threads";
    private static final String XNNPACK = "xnnpack";

    final AppState state = new AppState();
    private final Context context;
    private final Incoming others;
    private final ModelStore store;
    private final File photoFile;
    private final SharedPreferences preferences;
    private final Handler main = new Handler(Looper.getMainLooper());
    private final ExecutorService work =
            Executors.newSingleThreadExecutor(task -> new Thread(task, "engine"));

    // Of the working thread only.
    private Classifier classifier;
    private OpenModel model;
    private Bitmap photo;
    private int reported = -1;
    private RollingMedian preparing = new RollingMedian(MEDIAN_OF);
    private RollingMedian inference = new RollingMedian(MEDIAN_OF);

    Engine(Context context) {
        this.context = context.getApplicationContext();
        others = new Incoming(context.getContentResolver());
        store = new ModelStore(context);
        photoFile = new File(context.getFilesDir(), "photograph");
        preferences = context.getSharedPreferences("choices", Context.MODE_PRIVATE);
        RunOptions usual = RunOptions.usual();
        int threads = preferences.getInt(THREADS, usual.threads());
        state.options = new RunOptions(Math.min(threads, RunOptions.mostThreads()),
                preferences.getBoolean(XNNPACK, usual.xnnpack()));
        openFirst();
    }

    /** Opens the model chosen last, or if that is gone or broken, any that came with the app. */
    private void openFirst() {
        state.opening = true;
        String chosen = preferences.getString(MODEL, "");
        RunOptions options = state.options;
        work.execute(() -> {
            List<ModelEntry> entries = entries();
            for (ModelEntry entry : entries) {
                if (entry.id().equals(chosen) && use(entry, options)) {
                    return;
                }
            }
            for (ModelEntry entry : entries) {
                if (entry.bundled() && use(entry, options)) {
                    return;
                }
            }
        });
    }

    /** Changes to one of the listed models. */
    void choose(ModelEntry entry) {
        RunOptions options = startOpening();
        work.execute(() -> use(entry, options));
    }

    /** Takes in a model file of another app and changes to it. */
    void openModel(Uri uri) {
        RunOptions options = startOpening();
        work.execute(() -> {
            String name = others.displayName(uri);
            try {
                Incoming.take(() -> others.open(uri), store.incoming(), ModelStore.MOST_BYTES,
                        R.string.trouble_model_gone);
                change(store.addIncoming(name, this::progress, candidate -> tryOut(candidate, options)),
                        options);
            } catch (Trouble e) {
                keepFormer(name, e);
            }
        });
    }

    private static void tryOut(OpenModel candidate, RunOptions options) throws Trouble {
        new Classifier(candidate.file(), candidate.content(), options).close();
    }

    /** Deletes a model that the user opened; if it is in use, the first one takes its place. */
    void remove(ModelEntry entry) {
        RunOptions options = startOpening();
        work.execute(() -> {
            store.remove(entry);
            List<ModelEntry> left = entries();
            if (model != null && model.entry().id().equals(entry.id()) && !left.isEmpty()) {
                use(left.get(0), options);
            } else {
                show(() -> state.opening = false);
            }
        });
    }

    /** Runs the model in another way from now on. */
    void setOptions(RunOptions options) {
        if (options.equals(state.options)) {
            return;
        }
        state.options = options;
        preferences.edit().putInt(THREADS, options.threads())
                .putBoolean(XNNPACK, options.xnnpack()).apply();
        state.opening = true;
        state.changed();
        work.execute(() -> {
            if (model != null) {
                use(model.entry(), options);
            }
        });
    }

    private RunOptions startOpening() {
        state.opening = true;
        state.modelTrouble = null;
        state.changed();
        return state.options;
    }

    private boolean use(ModelEntry entry, RunOptions options) {
        try {
            change(store.open(entry, this::progress), options);
            return true;
        } catch (Trouble e) {
            keepFormer(entry.fileName(), e);
            return false;
        }
    }

    private void change(OpenModel opened, RunOptions options) throws Trouble {
        Classifier next = new Classifier(opened.file(), opened.content(), options);
        if (classifier != null) {
            classifier.close();
        }
        classifier = next;
        model = opened;
        reported = -1;
        preparing = new RollingMedian(MEDIAN_OF);
        inference = new RollingMedian(MEDIAN_OF);
        preferences.edit().putString(MODEL, opened.entry().id()).apply();
        entries();
        show(() -> {
            state.model = opened;
            state.opening = false;
            state.expanded = -1;
        });
        if (photo != null) {
            classifyPhoto();
        }
    }

    private void keepFormer(String name, Trouble trouble) {
        reported = -1;
        show(() -> {
            state.modelTrouble = trouble;
            state.modelTroubleName = name;
            state.opening = false;
            state.expanded = -1;
        });
    }

    private List<ModelEntry> entries() {
        try {
            List<ModelEntry> entries = store.list();
            show(() -> state.entries = entries);
            return entries;
        } catch (IOException e) {
            throw new IllegalStateException("the app's own assets cannot be listed", e);
        }
    }

    private void progress(long done, long total) {
        int percent = total <= 0 ? 0 : (int) (100 * done / total);
        if (percent != reported) {
            reported = percent;
            show(() -> state.expanded = percent);
        }
    }

    /** Classifies a photograph of another app. */
    void classify(Uri uri) {
        classify(() -> others.open(uri));
    }

    /** Classifies a photograph that came with the app. */
    void classifyAsset(String path) {
        classify(() -> context.getAssets().open(path));
    }

    /** Classifies the photograph that the camera app stored. */
    void classifyCapture(File captured) {
        classify(() -> new FileInputStream(captured));
    }

    private void classify(Incoming.Source source) {
        state.classifying = true;
        state.photoTrouble = null;
        state.changed();
        work.execute(() -> {
            try {
                Incoming.take(source, photoFile, PhotoLoader.MOST_BYTES,
                        R.string.trouble_photo_unreadable);
                showPhoto();
                classifyPhoto();
            } catch (Trouble e) {
                failPhoto(e);
            }
        });
    }

    /** Puts the former process's photograph and result back; the model is not run again. */
    void restore(Result result) {
        state.result = result;
        state.changed();
        work.execute(() -> {
            try {
                showPhoto();
            } catch (Trouble e) {
                failPhoto(e);
            }
        });
    }

    private void showPhoto() throws Trouble {
        Bitmap loaded = PhotoLoader.load(photoFile);
        photo = loaded;
        show(() -> {
            state.photo = loaded;
        });
    }

    private void failPhoto(Trouble trouble) {
        photo = null;
        show(() -> {
            state.photo = null;
            state.result = null;
            state.photoTrouble = trouble;
            state.classifying = false;
        });
    }

    private void classifyPhoto() {
        Result result = classifier == null ? null : run(new BitmapPixels(photo));
        show(() -> {
            state.result = result;
            state.classifying = false;
        });
    }

    private Result run(Pixels pixels) {
        Classifier.Classification done = classifier.classify(pixels);
        preparing.add(done.preparing());
        inference.add(done.inference());
        return new Result(classifier.best(done.probabilities(), TOP), model.title(),
                done.preparing(), done.inference(),
                preparing.median(), inference.median(), preparing.size());
    }

    /** Classifies a camera frame; {@code then} gets the result, or null while no model is open. */
    void classifyFrame(FrameSource frame, FrameResult then) {
        work.execute(() -> {
            Pixels pixels = frame.pixels();
            Result result = classifier == null || pixels == null ? null : run(pixels);
            main.post(() -> then.classified(result));
        });
    }

    private void show(Runnable change) {
        main.post(() -> {
            change.run();
            state.changed();
        });
    }

    /** Ends the working thread after what it has to do. */
    void close() {
        work.execute(() -> {
            if (classifier != null) {
                classifier.close();
            }
        });
        work.shutdown();
    }

    /** The working thread's queue: camera frames end on it, and tests wait for it. */
    ExecutorService work() {
        return work;
    }

    /** Makes the pixels of a frame on the working thread. */
    interface FrameSource {
        Pixels pixels();
    }

    /** Gets a frame's result on the main thread. */
    interface FrameResult {
        void classified(Result result);
    }
}
