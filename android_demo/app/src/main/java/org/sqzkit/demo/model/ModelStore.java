package org.sqzkit.demo.model;

import android.content.Context;
import android.content.SharedPreferences;
import android.content.res.AssetFileDescriptor;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;
import org.sqzkit.sqz.Progress;
import org.sqzkit.sqz.SignedArchive;
import org.sqzkit.sqz.SqzDecoder;
import org.sqzkit.sqz.SqzException;

/**
 * The models that came with the app and those the user opened.
 *
 * <p>Bounded: a model is at most {@link #MAX_BYTES} large, the user's models together at most
 * {@link #MAX_TOTAL_BYTES}, and a file that is there already is not stored again.
 */
public final class ModelStore {
    /** Larger files are refused. */
    public static final long MAX_BYTES = 256L << 20;

    /** The user's models together take at most this. */
    static final long MAX_TOTAL_BYTES = 1L << 30;

    private static final String ASSETS = "models";
    private static final int MAX_NAME_LENGTH = 60;
    /** The asset with the key of whoever signs updates, if the app was built with one. */
    private static final String KEY = "update.der";
    /** The setting with the newest signed release that was taken. */
    private static final String RELEASE = "release";

    private final Context context;
    private final File folder;
    private final ArchiveCache copies;
    private final Additions additions;
    private final SharedPreferences releases;
    private final byte[] key;

    /** Keeps opened files in the app's own storage, expanded archives in its cache. */
    public ModelStore(Context context) {
        this(context, builtInKey(context));
    }

    /** Takes only updates that were signed with the private half of {@code key}, unless it is empty. */
    ModelStore(Context context, byte[] key) {
        this.key = key;
        releases = context.getSharedPreferences("updates", Context.MODE_PRIVATE);
        this.context = context.getApplicationContext();
        folder = new File(context.getFilesDir(), ASSETS);
        copies = new ArchiveCache(new File(context.getCacheDir(), "expanded"));
        additions = new Additions(new File(context.getFilesDir(), "additions"));
        AtomicFiles.clean(folder);
    }

    private static byte[] builtInKey(Context context) {
        try (InputStream in = context.getAssets().open(KEY)) {
            return read(in);
        } catch (FileNotFoundException e) {
            return new byte[0];
        } catch (IOException e) {
            throw new IllegalStateException(e); // the APK is damaged: not as if there were no key
        }
    }

    /** What the user adds to models. */
    public Additions additions() {
        return additions;
    }

    /** Lists all models, those that came with the app first. */
    public List<ModelEntry> list() throws AppError {
        List<ModelEntry> entries = new ArrayList<>();
        try {
            String[] assets = context.getAssets().list(ASSETS);
            Arrays.sort(assets);
            for (String name : assets) {
                entries.add(new ModelEntry(ModelEntry.ASSET + name, assetBytes(name)));
            }
        } catch (IOException e) {
            throw unreadable(e);
        }
        for (File file : files()) {
            entries.add(new ModelEntry(ModelEntry.FILE + file.getName(), file.length()));
        }
        return entries;
    }

    private File[] files() {
        File[] files = folder.listFiles((parent, name) -> name.matches(".+\\.(tflite|sqz)"));
        if (files == null) {
            return new File[0];
        }
        Arrays.sort(files);
        return files;
    }

    /** Returns what the user's models and the expanded copies take. */
    public StorageUse storage() {
        long bytes = 0;
        File[] files = files();
        for (File file : files) {
            bytes += file.length();
        }
        return new StorageUse(files.length, bytes, copies.bytes());
    }

    /** Opens a model; archives are expanded, which {@code progress} follows. */
    public LoadedModel open(ModelEntry entry, Progress progress) throws AppError {
        try {
            ByteBuffer content =
                    entry.archive() ? copies.expand(bytes(entry), progress) : map(entry);
            return loaded(entry, content);
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    private LoadedModel loaded(ModelEntry entry, ByteBuffer content) throws AppError {
        String digest = Sha256.of(content);
        ModelFile file = ModelFile.read(content, additions.labels(digest), additions.choice(digest));
        return new LoadedModel(entry, file, content, digest);
    }

    /** Refuses files that begin neither as a .tflite nor as a .sqz, signed or not, does. */
    public static void checkHeader(byte[] start) throws AppError {
        ByteBuffer content = ByteBuffer.wrap(start);
        if (!ModelFile.isModel(content) && !ArchiveCache.isArchive(content)
                && !ArchiveCache.isSigned(content)) {
            throw new AppError(R.string.error_not_a_model);
        }
    }

    /** Returns a new name for a file of another app, to be copied there before {@link #read}. */
    public File newIncoming() throws AppError {
        try {
            folder.mkdirs();
            return File.createTempFile("model-", ".part", folder);
        } catch (IOException e) {
            throw new AppError(R.string.error_storage);
        }
    }

    /**
     * Replaces an update at {@code incoming} by the model that it gives, and a signed archive by
     * what was signed; other files stay.
     *
     * <p>The listed model that an update starts from is only read.
     *
     * @return the release that was signed, for {@link #setTaken}; -1 if the file is not signed
     */
    public long applyUpdate(File incoming, Progress progress) throws AppError {
        try {
            ByteBuffer content = AtomicFiles.map(incoming);
            boolean signed = ArchiveCache.isSigned(content);
            if (!signed && !ArchiveCache.isArchive(content)) {
                return -1;
            }
            byte[] archive = readArchive(incoming);
            long release = -1;
            if (signed) {
                release = SignedArchive.release(archive);
                archive = openSigned(archive);
                AtomicFiles.write(archive, incoming);
            }
            String needed = SqzDecoder.baseSha256(archive);
            if (needed != null) {
                if (!signed && key.length > 0) {
                    throw new AppError(R.string.error_update_signature);
                }
                byte[] model = ArchiveCache.decode(archive, base(needed), progress);
                AtomicFiles.write(model, incoming);
            }
            return release;
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    private byte[] openSigned(byte[] signed) throws AppError {
        try {
            return SignedArchive.open(signed, key, releases.getLong(RELEASE, -1) + 1);
        } catch (SqzException e) {
            throw e.code() == SqzException.Code.OLD_RELEASE
                    ? new AppError(R.string.error_update_old, SignedArchive.release(signed))
                    : new AppError(R.string.error_update_signature);
        }
    }

    /** Refuses this release and older ones from now on; -1 changes nothing. */
    public void setTaken(long release) {
        if (release >= 0) {
            releases.edit().putLong(RELEASE, release).commit();
        }
    }

    /** Returns the listed model with this SHA-256, or an archive of it; null if there is none. */
    private byte[] base(String needed) throws AppError, IOException {
        for (ModelEntry entry : list()) {
            if (needed.equals(digest(entry))) {
                return bytes(entry);
            }
        }
        return null;
    }

    private String digest(ModelEntry entry) throws AppError, IOException {
        return entry.archive() ? SqzDecoder.fileSha256(bytes(entry)) : Sha256.of(map(entry));
    }

    /** Returns the listed model with the same content as {@code incoming}, or null. */
    public ModelEntry sameContent(File incoming) throws AppError {
        try {
            String digest = null;
            for (ModelEntry entry : list()) {
                if (entry.bytes() == incoming.length()) {
                    digest = digest == null ? Sha256.of(AtomicFiles.map(incoming)) : digest;
                    if (Sha256.of(bytes(entry)).equals(digest)) {
                        return entry;
                    }
                }
            }
            return null;
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    /**
     * Reads a file that was copied to {@link #newIncoming}; {@link #keep} then stores it.
     *
     * @param name what the other app calls it
     */
    public LoadedModel read(File incoming, String name, Progress progress) throws AppError {
        try {
            ByteBuffer content = AtomicFiles.map(incoming);
            boolean plain = ModelFile.isModel(content);
            if (!plain) {
                if (!ArchiveCache.isArchive(content)) {
                    throw new AppError(R.string.error_not_a_model);
                }
                content = copies.expand(readArchive(incoming), progress);
            }
            String free = freeName(name, plain ? ".tflite" : ".sqz");
            return loaded(new ModelEntry(ModelEntry.FILE + free, incoming.length()), content);
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    /** Stores the file at {@code incoming} as the model that was read from it. */
    public LoadedModel keep(File incoming, LoadedModel model) throws AppError {
        if (storage().modelBytes + incoming.length() > MAX_TOTAL_BYTES) {
            throw new AppError(R.string.error_storage_limit, MAX_TOTAL_BYTES >> 20);
        }
        try {
            AtomicFiles.move(incoming, new File(folder, model.entry().fileName()));
            return model;
        } catch (IOException e) {
            throw new AppError(R.string.error_storage);
        }
    }

    /** Deletes a model that the user opened, and what was added to it. */
    public void remove(ModelEntry entry) {
        if (!entry.bundled()) {
            try {
                additions.remove(digest(entry));
            } catch (AppError | IOException e) {
                // Nothing can have been added to a file that was never read.
            }
            new File(folder, entry.fileName()).delete();
        }
    }

    /** Deletes the expanded copies of archives. */
    public void clearCopies() {
        copies.clear();
    }

    private static byte[] readArchive(File incoming) throws AppError, IOException {
        if (incoming.length() > Runtime.getRuntime().maxMemory() / 4) {
            throw new AppError(R.string.error_archive_too_large);
        }
        return read(incoming);
    }

    private String freeName(String name, String ending) {
        String stem = name.replaceAll("(\\.tflite)?\\.update\\.sqz$|\\.(tflite|sqz)$", "").replaceAll("[^\\p{L}\\p{N} _.-]", "_")
                .replaceAll("^[. ]+", "");
        stem = stem.isEmpty() ? "model" : stem.substring(0, Math.min(stem.length(), MAX_NAME_LENGTH));
        String free = stem + ending;
        for (int i = 2; new File(folder, free).exists(); i++) {
            free = stem + " " + i + ending;
        }
        return free;
    }

    private ByteBuffer map(ModelEntry entry) throws IOException {
        if (!entry.bundled()) {
            return AtomicFiles.map(new File(folder, entry.fileName()));
        }
        // Models are stored in the APK without compression, so they can be mapped from it.
        try (AssetFileDescriptor asset = context.getAssets().openFd(ASSETS + "/" + entry.fileName());
                FileInputStream in = asset.createInputStream()) {
            return in.getChannel().map(FileChannel.MapMode.READ_ONLY,
                    asset.getStartOffset(), asset.getLength());
        }
    }

    private byte[] bytes(ModelEntry entry) throws IOException {
        if (!entry.bundled()) {
            return read(new File(folder, entry.fileName()));
        }
        try (InputStream in = context.getAssets().open(ASSETS + "/" + entry.fileName())) {
            return read(in);
        }
    }

    private long assetBytes(String name) throws IOException {
        try (AssetFileDescriptor asset = context.getAssets().openFd(ASSETS + "/" + name)) {
            return asset.getLength();
        }
    }

    private static byte[] read(File file) throws IOException {
        try (InputStream in = new FileInputStream(file)) {
            return read(in);
        }
    }

    private static byte[] read(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] chunk = new byte[1 << 16];
        for (int read; (read = in.read(chunk)) > 0; ) {
            out.write(chunk, 0, read);
        }
        return out.toByteArray();
    }

    private static AppError unreadable(IOException e) {
        return new AppError(R.string.error_model_unreadable, String.valueOf(e.getMessage()));
    }
}
