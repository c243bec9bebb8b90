package org.sqzkit.demo.model;

import android.content.Context;
import android.content.res.AssetFileDescriptor;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.sqzkit.demo.R;
import org.sqzkit.demo.Trouble;
import org.sqzkit.sqz.Progress;

/** The models that came with the app and those the user opened. */
public final class ModelStore {
    private static final String ASSETS = "models";
    /** Larger files are not taken in. */
    public static final long MOST_BYTES = 256L << 20;

    private static final int LONGEST_NAME = 60;

    private final Context context;
    private final File folder;
    private final Expander expander;

    /** Keeps opened files in the app's own storage, expanded archives in its cache. */
    public ModelStore(Context context) {
        this.context = context.getApplicationContext();
        folder = new File(context.getFilesDir(), ASSETS);
        expander = new Expander(new File(context.getCacheDir(), "expanded"));
        WholeFile.clean(folder);
    }

    /** Lists all models, those that came with the app first. */
    public List<ModelEntry> list() throws IOException {
        List<ModelEntry> entries = new ArrayList<>();
        String[] assets = context.getAssets().list(ASSETS);
        Arrays.sort(assets);
        for (String name : assets) {
            entries.add(new ModelEntry(ModelEntry.ASSET + name, assetBytes(name)));
        }
        File[] files = folder.listFiles((parent, name) -> name.matches(".+\\.(tflite|sqz)"));
        if (files != null) {
            Arrays.sort(files);
            for (File file : files) {
                entries.add(new ModelEntry(ModelEntry.FILE + file.getName(), file.length()));
            }
        }
        return entries;
    }

    /** Opens a model; archives are expanded, which {@code progress} follows. */
    public OpenModel open(ModelEntry entry, Progress progress) throws Trouble {
        try {
            ByteBuffer content = entry.archive()
                    ? expander.expand(bytes(entry), progress) : map(entry);
            return new OpenModel(entry, ModelFile.read(content), content, Digest.of(content));
        } catch (IOException e) {
            throw new Trouble(R.string.trouble_model_unreadable, String.valueOf(e.getMessage()));
        }
    }

    /** Where a file of another app is to be put before {@link #addIncoming}. */
    public File incoming() {
        return new File(folder, "incoming.new");
    }

    /**
     * Takes in the file at {@link #incoming}. It is stored only after {@code check} accepted it.
     *
     * @param name what the other app calls it
     */
    public OpenModel addIncoming(String name, Progress progress, Check check) throws Trouble {
        File incoming = incoming();
        try {
            ByteBuffer content = WholeFile.map(incoming);
            boolean plain = ModelFile.isModel(content);
            if (!plain) {
                if (!Expander.isArchive(content)) {
                    throw new Trouble(R.string.trouble_not_a_model);
                }
                content = expander.expand(read(incoming), progress);
            }
            ModelEntry entry = new ModelEntry(
                    ModelEntry.FILE + freeName(name, plain ? ".tflite" : ".sqz"), incoming.length());
            OpenModel model =
                    new OpenModel(entry, ModelFile.read(content), content, Digest.of(content));
            check.accept(model);
            if (!incoming.renameTo(new File(folder, entry.fileName()))) {
                throw new IOException(entry.fileName());
            }
            return model;
        } catch (IOException e) {
            throw new Trouble(R.string.trouble_model_unreadable, String.valueOf(e.getMessage()));
        } finally {
            incoming.delete();
        }
    }

    /** Decides whether a model may be stored. */
    public interface Check {
        /** Throws what is wrong with it. */
        void accept(OpenModel model) throws Trouble;
    }

    /** Deletes a model that the user opened. */
    public void remove(ModelEntry entry) {
        if (!entry.bundled()) {
            new File(folder, entry.fileName()).delete();
        }
    }

    private String freeName(String name, String ending) {
        String stem = name.replaceAll("\\.(tflite|sqz)$", "").replaceAll("[^\\p{L}\\p{N} _.-]", "_")
                .replaceAll("^[. ]+", "");
        stem = stem.isEmpty() ? "model" : stem.substring(0, Math.min(stem.length(), LONGEST_NAME));
        String free = stem + ending;
        for (int i = 2; new File(folder, free).exists(); i++) {
            free = stem + " " + i + ending;
        }
        return free;
    }

    private ByteBuffer map(ModelEntry entry) throws IOException {
        if (!entry.bundled()) {
            return WholeFile.map(new File(folder, entry.fileName()));
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
}
