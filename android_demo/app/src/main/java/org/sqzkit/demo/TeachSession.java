package org.sqzkit.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.sqzkit.demo.image.BitmapPixels;
import org.sqzkit.sqz.SqzEncoder;
import org.sqzkit.teach.Export;
import org.sqzkit.teach.Head;
import org.sqzkit.teach.HeadException;
import org.sqzkit.teach.HeadFile;
import org.sqzkit.teach.HeadFolder;
import org.sqzkit.teach.LastLayer;
import org.sqzkit.teach.TaughtHead;

/**
 * What the model in use is taught. Main thread only.
 *
 * <p>Each network has a head of its own, in a folder that is named by the digest of its features: two
 * files of one network share it. Every change is on the disk before it is shown.
 */
final class TeachSession {
    /** What a phone can show and compute at once; a head itself could hold more. */
    static final int MAX_CLASSES = 50;
    static final int MAX_PHOTOGRAPHS = 500;

    private final Context context;
    private final StateStore store;
    private final PhotoSession photos;
    private final ModelSession models;
    private final Sharing sharing;
    private final Handler main = new Handler(Looper.getMainLooper());
    private final ExecutorService thread =
            Executors.newSingleThreadExecutor(work -> new Thread(work, "teach"));
    private final AtomicInteger queued = new AtomicInteger();
    private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
    private boolean reading;
    private Lesson lesson;

    /** A photograph that is to be taught. */
    private static final class Waiting {
        final String label;
        final Uri uri;

        Waiting(String label, Uri uri) {
            this.label = label;
            this.uri = uri;
        }
    }

    /** Changes a head, on the thread that teaches. */
    private interface Change {
        void apply(Lesson lesson) throws IOException, AppError;
    }

    /** The head of one model; on the thread that teaches only. */
    private static final class Lesson {
        final ModelRunner runner;
        final HeadFolder files;
        Head head;
        TaughtHead taught;
        int[] recognized;

        Lesson(ModelRunner runner, File folder) {
            this.runner = runner;
            files = new HeadFolder(folder);
            head = new Head(runner.layer().digest(), runner.layer().size());
        }

        void load() throws IOException {
            Head read = files.read();
            if (read != null) {
                read.checkModel(head.digest(), head.size());
                head = read;
            }
            files.clean(head);
        }

        void add(String label, Result.Example example) throws IOException, AppError {
            boolean full = head.count() >= MAX_PHOTOGRAPHS
                    || head.count(label) == 0 && head.labels().size() >= MAX_CLASSES;
            if (full) {
                throw new AppError(R.string.error_teach_full, MAX_CLASSES, MAX_PHOTOGRAPHS);
            }
            head.add(label, example.features());
            files.writePicture(example.features(), example.picture());
        }

        /** Takes a photograph out of all classes but one. */
        void removeElsewhere(String label, short[] features) throws IOException {
            for (String other : head.labels()) {
                if (!other.equals(label) && holds(other, features)) {
                    head.remove(other, features);
                }
            }
        }

        private boolean holds(String label, short[] features) {
            for (short[] one : head.photographs(label)) {
                if (Arrays.equals(one, features)) {
                    return true;
                }
            }
            return false;
        }

        /** Answers with what was taught; strength and the rest are chosen anew only at the end. */
        void teach(boolean end) throws IOException {
            boolean several = head.labels().size() > 1;
            if (several && (end || taught == null)) {
                taught = head.teach();
                recognized = head.recognized();
                files.write(head);
            } else {
                taught = several ? head.teach(taught.choice()) : null;
                recognized = null;
            }
        }

        List<AppState.TaughtClass> classes() {
            List<AppState.TaughtClass> found = new ArrayList<>();
            for (String label : head.labels()) {
                found.add(new AppState.TaughtClass(label, head.photographs(label),
                        recognized == null ? -1 : recognized[found.size()]));
            }
            return found;
        }
    }

    TeachSession(Context context, StateStore store, PhotoSession photos, ModelSession models,
            Sharing sharing) {
        this.context = context;
        this.store = store;
        this.photos = photos;
        this.models = models;
        this.sharing = sharing;
    }

    /** Turns to another model, which may be null. */
    void use(ModelRunner runner) {
        LastLayer layer = runner == null ? null : runner.layer();
        if (lesson != null || layer == null) {
            waiting.clear(); // else they were chosen in a former process, before a model was open
        }
        store.updateTeaching(now -> AppState.Teaching.NONE);
        lesson = layer == null ? null : new Lesson(runner, folder(layer));
        submit(null, Lesson::load);
        next();
    }

    private File folder(LastLayer layer) {
        StringBuilder name = new StringBuilder("taught-");
        for (byte value : layer.digest()) {
            name.append(Integer.toHexString(value & 255 | 256).substring(1));
        }
        return new File(context.getFilesDir(), name.toString());
    }

    /** Where the small picture of a photograph is, if there is one. */
    File picture(short[] features) {
        return lesson == null ? new File("") : lesson.files.picture(features);
    }

    /** Teaches photographs of other apps, one after the other. */
    void add(String label, List<Uri> uris) {
        for (Uri uri : uris) {
            waiting.add(new Waiting(label, uri));
        }
        next();
    }

    private void next() {
        if (reading || lesson == null) {
            return;
        }
        Waiting one = waiting.poll();
        store.updateTeaching(now -> now.with(waiting.size() + (one == null ? 0 : 1)));
        if (one == null) {
            return;
        }
        reading = true;
        ModelRunner runner = lesson.runner;
        photos.read(one.uri, photo -> {
            boolean accepted = runner.classify(() -> new BitmapPixels(photo),
                    ModelRunner.Purpose.EXAMPLE, result -> {
                        if (lesson != null && lesson.runner == runner) {
                            add(one.label, result);
                        }
                        proceed(null);
                    }, error -> {
                        reading = false;
                        models.putAside(runner, error);
                    });
            if (!accepted) {
                reading = false;
            }
        }, this::proceed);
    }

    private void proceed(AppError error) {
        reading = false;
        if (error != null) {
            store.updateTeaching(now -> now.with(error));
        }
        next();
    }

    /** Teaches the photograph of a result that has an example. */
    void add(String label, Result result) {
        submit(result.taught(), at -> {
            at.add(label, result.example());
            at.files.write(at.head);
        });
    }

    /** Teaches the photograph on the screen as a class, and as none of the others. */
    void correct(String label) {
        Bitmap photo = store.state().photo().bitmap();
        if (photo == null || lesson == null) {
            return;
        }
        ModelRunner runner = lesson.runner;
        runner.classify(() -> new BitmapPixels(photo), ModelRunner.Purpose.EXAMPLE, result -> {
            if (lesson != null && lesson.runner == runner) {
                submit(result.taught(), at -> {
                    at.add(label, result.example());
                    at.removeElsewhere(label, result.example().features());
                    at.files.write(at.head);
                });
            }
        }, error -> models.putAside(runner, error));
    }

    void remove(String label, short[] features) {
        change(head -> head.remove(label, features));
    }

    /** Gives a class another name, or makes it one with the class of that name. */
    void rename(String label, String name) {
        change(head -> head.rename(label, name));
    }

    void delete(String label) {
        change(head -> head.delete(label));
    }

    /** Deletes everything that this model was taught. */
    void forget() {
        change(head -> {
            for (String label : head.labels()) {
                head.delete(label);
            }
        });
    }

    private interface HeadChange {
        void apply(Head head) throws HeadException;
    }

    private void change(HeadChange change) {
        submit(null, at -> {
            change.apply(at.head);
            at.files.write(at.head);
            at.files.clean(at.head);
        });
    }

    /**
     * Writes what was taught to where other apps can read it.
     *
     * @param name {@link PhotoProvider#HEAD}, or MODEL or ARCHIVE for what TensorFlow Lite programs run
     */
    void share(String name, Runnable done) {
        submit(null, at -> {
            byte[] content = name.equals(PhotoProvider.HEAD) ? HeadFile.write(at.head) : exported(at);
            main.post(() -> sharing.put(name, task -> name.equals(PhotoProvider.ARCHIVE)
                    ? SqzEncoder.encode(content, (packed, total) -> task.progress()) : content, done));
        });
    }

    private static byte[] exported(Lesson at) throws AppError {
        ByteBuffer content = at.runner.model().content().duplicate();
        byte[] base = new byte[content.remaining()];
        content.get(base);
        try {
            return Export.export(base, at.head);
        } catch (HeadException e) {
            throw new AppError(R.string.error_teach_export, e.getMessage());
        }
    }

    /**
     * Applies a change, then shows what the head has become; if it fails, the head is as it is on the
     * disk.
     *
     * @param last what the head said of the photograph before
     */
    private void submit(Result.Taught last, Change change) {
        Lesson at = lesson;
        if (at == null) {
            return;
        }
        queued.incrementAndGet();
        thread.execute(() -> {
            AppError error = null;
            try {
                change.apply(at);
            } catch (Throwable thrown) {
                error = error(thrown);
                reload(at);
            }
            boolean end = queued.decrementAndGet() == 0;
            try {
                at.teach(end);
            } catch (Throwable thrown) {
                error = error(thrown);
            }
            publish(at, last, error, end);
        });
    }

    private static void reload(Lesson at) {
        try {
            at.head = new Head(at.head.digest(), at.head.size());
            at.load();
        } catch (IOException e) {
            at.taught = null; // the error that led here is shown
        }
    }

    private void publish(Lesson at, Result.Taught last, AppError error, boolean end) {
        List<AppState.TaughtClass> classes = at.classes();
        TaughtHead taught = at.taught;
        long bytes = at.files.bytes();
        main.post(() -> {
            if (lesson != at) {
                return;
            }
            at.runner.setTaught(taught);
            store.updateTeaching(now -> new AppState.Teaching(true, classes, bytes,
                    last == null ? now.last() : last, error == null ? now.error() : error,
                    now.waiting()));
            if (end && (taught != null || store.state().photo().result() != null
                    && store.state().photo().result().taught() != null)) {
                photos.classifyAgain();
            }
        });
    }

    private static AppError error(Throwable thrown) {
        if (!(thrown instanceof HeadException)) {
            return thrown instanceof IOException ? new AppError(R.string.error_storage)
                    : AppError.of(thrown);
        }
        switch (((HeadException) thrown).code()) {
            case BAD_NAME:
                return new AppError(R.string.error_teach_name);
            case NOT_A_HEAD:
            case OTHER_VERSION:
            case DAMAGED:
                return new AppError(R.string.error_teach_damaged);
            default:
                return AppError.of(thrown);
        }
    }

    /** Waits until nothing is left to be taught, for tests. */
    boolean awaitIdle(long time, TimeUnit unit) throws Exception {
        return thread.isShutdown() || thread.submit(() -> true).get(time, unit);
    }

    void close() {
        thread.shutdown();
    }
}
