package org.sqzkit.demo;

import android.content.Context;
import android.content.SharedPreferences;
import android.graphics.Bitmap;
import android.media.ThumbnailUtils;
import android.net.Uri;
import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.sqzkit.demo.image.BitmapPixels;
import org.sqzkit.demo.model.AtomicFiles;

/**
 * The answers so far and their photos, the one on the screen among them. Main thread only, but for
 * {@link #keep}.
 *
 * <p>Each photo has a name of its own and is never renamed after that, so a process can end at any
 * moment without losing the photo on the screen.
 */
final class History {
    static final int MAX_ANSWERS = 30;
    static final long MAX_BYTES = 100L << 20;

    private static final int THUMBNAIL_SIDE = 144;
    private static final String THUMBNAIL = ".small";
    /** Which photo is on the screen: the only key without a slash. */
    private static final String SHOWN = "shown";

    private static final Pattern TIME = Pattern.compile("-?[0-9]{1,18}");

    private final File folder;
    private final SharedPreferences stored;
    private final StateStore store;
    /** The bytes of each photo that is kept. */
    private final Map<String, Long> sizes = new HashMap<>();

    /**
     * Reads what the former process kept.
     *
     * @param suspect what native code was working on when it ended: such a photo is deleted
     */
    History(Context context, StateStore store, String suspect) {
        this.store = store;
        folder = new File(context.getFilesDir(), "history");
        folder.mkdirs();
        AtomicFiles.clean(folder);
        stored = context.getSharedPreferences("history", Context.MODE_PRIVATE);
        if (suspect.startsWith(CrashGuard.PHOTO)) {
            file(suspect).delete();
        }
        String[] names = folder.list();
        for (String name : names == null ? new String[0] : names) {
            measure(name.replace(THUMBNAIL, ""));
        }
        publish(read(), null);
    }

    private List<AppState.Answer> read() {
        List<AppState.Answer> answers = new ArrayList<>();
        for (Map.Entry<String, ?> entry : stored.getAll().entrySet()) {
            String[] key = entry.getKey().split("/", 2);
            String[] value = entry.getValue().toString().split("/", 2);
            if (key.length == 2 && file(key[0]).length() > 0 && value.length == 2
                    && TIME.matcher(value[0]).matches()) { // another version may have stored otherwise
                answers.add(new AppState.Answer(
                        key[0], Uri.decode(key[1]), Uri.decode(value[1]), Long.parseLong(value[0])));
            }
        }
        return newestFirst(answers);
    }

    private static List<AppState.Answer> newestFirst(List<AppState.Answer> answers) {
        answers.sort((a, b) -> Long.compare(b.time(), a.time()));
        return answers;
    }

    /** Returns the name of the photo on the screen, of the former process at first; may be of none. */
    String shown() {
        return stored.getString(SHOWN, "none");
    }

    /** Returns where a photo is kept. */
    File file(String photo) {
        return new File(folder, photo);
    }

    /** Returns where a small picture of a photo is kept. */
    File thumbnail(String photo) {
        return file(photo + THUMBNAIL);
    }

    /** A photo that is stored; deleted again if nobody takes it. */
    static final class Kept implements Closeable {
        /** Of its files. */
        final String name;
        final Bitmap photo;
        private final History in;

        Kept(History in, String name, Bitmap photo) {
            this.in = in;
            this.name = name;
            this.photo = photo;
        }

        @Override
        public void close() {
            in.delete(name);
        }
    }

    /** Stores a photo, from the file that it was copied to; from any thread. */
    Kept keep(File copy, Bitmap photo) throws AppError, IOException {
        String name = File.createTempFile(CrashGuard.PHOTO, "", folder).getName();
        Bitmap small = ThumbnailUtils.extractThumbnail(photo, THUMBNAIL_SIDE, THUMBNAIL_SIDE);
        AtomicFiles.write(BitmapPixels.jpeg(small), thumbnail(name));
        AtomicFiles.move(copy, file(name));
        return new Kept(this, name, photo);
    }

    private void measure(String photo) {
        sizes.put(photo, file(photo).length() + thumbnail(photo).length());
    }

    private void delete(String photo) {
        file(photo).delete();
        thumbnail(photo).delete();
    }

    /** Notes which photo is on the screen now. */
    void show(String photo) {
        measure(photo);
        stored.edit().putString(SHOWN, photo).apply();
        publish(now().answers(), now().removed());
    }

    /** Adds a model's answer to the photo on the screen, unless it is there. */
    void add(String model, String text, long time) {
        String photo = shown();
        List<AppState.Answer> answers = new ArrayList<>(now().answers());
        for (AppState.Answer former : answers) {
            if (former.photo().equals(photo) && former.model().equals(model) && former.text().equals(text)) {
                return;
            }
        }
        answers.removeIf(one -> one.photo().equals(photo) && one.model().equals(model));
        answers.add(0, new AppState.Answer(photo, model, text, time));
        store(answers.get(0));
        while (answers.size() > 1
                && (answers.size() > MAX_ANSWERS || bytes(used(answers, null)) > MAX_BYTES)) {
            forget(answers.remove(answers.size() - 1));
        }
        publish(answers, now().removed());
    }

    /** Removes an answer, and for good the one that was removed before it. */
    void remove(AppState.Answer answer) {
        List<AppState.Answer> answers = new ArrayList<>(now().answers());
        answers.remove(answer);
        forget(answer);
        publish(answers, answer);
    }

    /** Brings the answer back that was removed last. */
    void undo() {
        AppState.Answer answer = now().removed();
        if (answer == null) {
            return; // a second tap
        }
        List<AppState.Answer> answers = new ArrayList<>(now().answers());
        answers.add(answer);
        store(answer);
        publish(newestFirst(answers), null);
    }

    /** Removes for good what {@link #undo} could have brought back. */
    void finish() {
        publish(now().answers(), null);
    }

    /** Removes all answers and photos. */
    void clear() {
        stored.edit().clear().apply();
        publish(new ArrayList<>(), null);
    }

    private AppState.History now() {
        return store.state().history();
    }

    private void store(AppState.Answer answer) {
        stored.edit().putString(key(answer), answer.time() + "/" + Uri.encode(answer.text())).apply();
    }

    private void forget(AppState.Answer answer) {
        stored.edit().remove(key(answer)).apply();
    }

    /** Encoded: what a model's file calls itself may have letters that no XML file can hold. */
    private static String key(AppState.Answer answer) {
        return answer.photo() + "/" + Uri.encode(answer.model());
    }

    private Set<String> used(List<AppState.Answer> answers, AppState.Answer removed) {
        Set<String> used = new HashSet<>();
        used.add(shown());
        for (AppState.Answer answer : answers) {
            used.add(answer.photo());
        }
        if (removed != null) {
            used.add(removed.photo());
        }
        return used;
    }

    private long bytes(Set<String> photos) {
        long sum = 0;
        for (String photo : photos) {
            sum += sizes.getOrDefault(photo, 0L);
        }
        return sum;
    }

    /** Shows these answers, and deletes the photos that nobody needs any more. */
    private void publish(List<AppState.Answer> answers, AppState.Answer removed) {
        Set<String> used = used(answers, removed);
        for (String photo : new ArrayList<>(sizes.keySet())) {
            if (!used.contains(photo)) {
                delete(photo);
                sizes.remove(photo);
            }
        }
        long bytes = bytes(used);
        store.update(state -> state.with(new AppState.History(answers, bytes, removed)));
    }
}
