package org.sqzkit.demo;

import android.graphics.Bitmap;
import java.util.Collections;
import java.util.List;
import org.sqzkit.demo.model.LoadedModel;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.RunOptions;
import org.sqzkit.demo.model.StorageUse;

/**
 * What the screens show. Immutable: {@link StateStore} replaces it on the main thread.
 *
 * @param options how models run
 */
record AppState(Photo photo, Models models, RunOptions options) {

    /** Returns the state before anything is opened. */
    static AppState initial(RunOptions options) {
        return new AppState(new Photo(null, null, null, Step.IDLE),
                new Models(null, Collections.emptyList(), null, Step.IDLE, -1, StorageUse.NONE), options);
    }

    AppState with(Photo changed) {
        return new AppState(changed, models, options);
    }

    AppState with(Models changed) {
        return new AppState(photo, changed, options);
    }

    AppState with(RunOptions changed) {
        return new AppState(photo, models, changed);
    }

    /**
     * The photo and its classification.
     *
     * @param bitmap the upright photo, or null
     * @param result what the model found in it, or null
     * @param error why the last photo could not be used, or null
     * @param step what is being done for the next photo
     */
    record Photo(Bitmap bitmap, Result result, AppError error, Step step) {
        Photo with(Bitmap changed) {
            return new Photo(changed, result, error, step);
        }

        Photo with(Result changed) {
            return new Photo(bitmap, changed, error, step);
        }

        Photo with(AppError changed) {
            return new Photo(bitmap, result, changed, step);
        }

        Photo with(Step changed) {
            return new Photo(bitmap, result, error, changed);
        }
    }

    /**
     * The model in use and those to choose from.
     *
     * @param current the model in use, or null
     * @param failure why the last model asked for is not in use, or null
     * @param step what is being done for the next model
     * @param percent how much of an archive is expanded, 0..100; -1 if none is being expanded
     */
    record Models(LoadedModel current, List<ModelEntry> entries, Failure failure, Step step,
            int percent, StorageUse storage) {
        Models with(LoadedModel changed) {
            return new Models(changed, entries, failure, step, percent, storage);
        }

        Models with(List<ModelEntry> changed, StorageUse use) {
            return new Models(current, changed, failure, step, percent, use);
        }

        Models with(Failure changed) {
            return new Models(current, entries, changed, step, percent, storage);
        }

        Models with(Step changed) {
            return new Models(current, entries, failure, changed, -1, storage);
        }

        Models expanding(int changed) {
            return new Models(current, entries, failure, Step.EXPANDING, changed, storage);
        }
    }

    /**
     * A model that cannot be used.
     *
     * @param name the file's name
     */
    record Failure(String name, AppError error) {}
}
