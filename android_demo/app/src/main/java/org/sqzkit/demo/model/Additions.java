package org.sqzkit.demo.model;

import android.text.TextUtils;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;

/**
 * What the user adds to models whose files lack it: class names and normalization.
 *
 * <p>Kept by the SHA-256 of the {@code .tflite}, so that an archive of it has them too.
 */
public final class Additions {
    /** Larger files with class names are refused. */
    public static final long MAX_BYTES = 1 << 20;

    private static final String LABELS = ".labels";
    private static final String NORMALIZATION = ".normalization";

    private final File folder;

    Additions(File folder) {
        this.folder = folder;
        AtomicFiles.clean(folder);
    }

    /** What float models are usually trained with; {@code R.array.normalizations} has the same order. */
    public enum Choice {
        MINUS_ONE_TO_ONE, ZERO_TO_ONE, RAW, IMAGENET;

        Normalization normalization() throws AppError {
            switch (this) {
                case MINUS_ONE_TO_ONE:
                    return Normalization.GUESS;
                case ZERO_TO_ONE:
                    return Normalization.dividing(new float[] {0}, new float[] {255});
                case RAW:
                    return Normalization.RAW;
                default:
                    return Normalization.dividing(new float[] {123.675f, 116.28f, 103.53f},
                            new float[] {58.395f, 57.12f, 57.375f});
            }
        }
    }

    /** Returns the class names that were added to a model; empty if there are none. */
    List<String> labels(String sha256) {
        try {
            return ModelMetadata.lines(text(file(sha256, LABELS)));
        } catch (IOException | AppError e) {
            return Collections.emptyList();
        }
    }

    /** Returns the normalization that was added to a model, or null. */
    Choice choice(String sha256) {
        try {
            return Choice.valueOf(text(file(sha256, NORMALIZATION)));
        } catch (IOException | IllegalArgumentException e) {
            return null;
        }
    }

    private File file(String sha256, String ending) {
        return new File(folder, sha256 + ending);
    }

    private static String text(File file) throws IOException {
        return StandardCharsets.UTF_8.decode(AtomicFiles.map(file)).toString();
    }

    /** Stores class names, one a line, if the model has as many classes. */
    public void addLabels(LoadedModel model, File incoming) throws AppError {
        try {
            String text = text(incoming).replaceFirst("^\ufeff", "").replaceFirst("\\s+$", "");
            List<String> labels = ModelMetadata.lines(text);
            if (labels.size() != model.file().classes()) {
                throw new AppError(R.string.error_labels_added, labels.size(), model.file().classes());
            }
            write(model, LABELS, TextUtils.join("\n", labels));
        } catch (IOException e) {
            throw new AppError(R.string.error_storage);
        }
    }

    /** Stores how pixels are prepared for a model. */
    public void setNormalization(LoadedModel model, Choice choice) throws AppError {
        write(model, NORMALIZATION, choice.name());
    }

    private void write(LoadedModel model, String ending, String text) throws AppError {
        AtomicFiles.write(text.getBytes(StandardCharsets.UTF_8), file(model.sha256(), ending));
    }

    /** Forgets what was added to a model. */
    void remove(String sha256) {
        file(sha256, LABELS).delete();
        file(sha256, NORMALIZATION).delete();
    }
}
