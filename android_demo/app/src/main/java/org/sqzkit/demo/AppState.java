package org.sqzkit.demo;

import android.graphics.Bitmap;
import java.util.ArrayList;
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
 * @param sharing why the last file could not be shared, or null
 */
record AppState(Photo photo, Models models, RunOptions options, Teaching teaching,
        Lab lab, History history, Video video, AppError sharing) {

    /** Returns the state before anything is opened. */
    static AppState initial(RunOptions options) {
        return new AppState(new Photo(null, null, null, Step.IDLE),
                new Models(null, Collections.emptyList(), null, Step.IDLE, -1, StorageUse.NONE), options,
                Teaching.NONE, Lab.NONE, new History(Collections.emptyList(), 0, null), Video.NONE, null);
    }

    AppState with(Photo changed) {
        return new AppState(changed, models, options, teaching, lab, history, video, sharing);
    }

    AppState with(Models changed) {
        return new AppState(photo, changed, options, teaching, lab, history, video, sharing);
    }

    AppState with(RunOptions changed) {
        return new AppState(photo, models, changed, teaching, lab, history, video, sharing);
    }

    AppState with(Teaching changed) {
        return new AppState(photo, models, options, changed, lab, history, video, sharing);
    }

    AppState with(Lab changed) {
        return new AppState(photo, models, options, teaching, changed, history, video, sharing);
    }

    AppState with(History changed) {
        return new AppState(photo, models, options, teaching, lab, changed, video, sharing);
    }

    AppState with(Video changed) {
        return new AppState(photo, models, options, teaching, lab, history, changed, sharing);
    }

    AppState with(AppError changed) {
        return new AppState(photo, models, options, teaching, lab, history, video, changed);
    }

    /**
     * The answers so far.
     *
     * @param answers the newest first
     * @param bytes of their photos and of the photo on the screen
     * @param removed what can be brought back, or null
     */
    record History(List<Answer> answers, long bytes, Answer removed) {}

    /**
     * What a model said of a photo.
     *
     * @param photo the name under which it is kept
     * @param model its title
     * @param text as it was shown
     * @param time in milliseconds since 1970
     */
    record Answer(String photo, String model, String text, long time) {}

    /**
     * A video whose frames are or were classified.
     *
     * @param name as the other app shows it
     * @param model the title of the model, {@code sha256} its .tflite
     * @param millis the length
     * @param total how many frames are wanted, 0 before the video is open
     * @param frames those so far, in the order of their times
     * @param running whether more of them come
     * @param error why the video or the rest of it cannot be classified, or null
     */
    record Video(String name, String model, String sha256, long millis, int total,
            List<VideoFrame> frames, boolean running, AppError error) {
        static final Video NONE = new Video("", "", "", 0, 0, Collections.emptyList(), false, null);

        Video with(VideoFrame next) {
            List<VideoFrame> longer = new ArrayList<>(frames);
            longer.add(next);
            return new Video(name, model, sha256, millis, total, longer, running, error);
        }

        Video with(AppError changed) {
            return new Video(name, model, sha256, millis, total, frames, false, changed);
        }

        Video running(boolean changed) {
            return new Video(name, model, sha256, millis, total, frames, changed, error);
        }
    }

    /**
     * What the laboratory shows.
     *
     * @param rows what was measured
     * @param total how many rows there will be; 0 if nothing is being measured
     * @param second what the second model found in the photo, or null
     * @param error why something could not be compared or measured, or null
     */
    record Lab(List<BenchmarkRow> rows, int total, Result second, AppError error) {
        static final Lab NONE = new Lab(Collections.emptyList(), 0, null, null);

        Lab with(List<BenchmarkRow> changed, int count) {
            return new Lab(changed, count, second, error);
        }

        Lab with(Result changed) {
            return new Lab(rows, total, changed, error);
        }

        Lab with(AppError changed) {
            return new Lab(rows, total, second, changed);
        }
    }

    /**
     * What the model in use was taught.
     *
     * @param possible whether the model can be taught
     * @param classes in the order of their names
     * @param bytes of the head and its pictures
     * @param last what the head said of the last photograph before it was taught, or null
     * @param error why something could not be taught, or null
     * @param waiting how many photographs are still to be taught
     */
    record Teaching(boolean possible, List<TaughtClass> classes, long bytes, Result.Taught last,
            AppError error, int waiting) {
        static final Teaching NONE =
                new Teaching(false, Collections.emptyList(), 0, null, null, 0);

        Teaching with(AppError changed) {
            return new Teaching(possible, classes, bytes, last, changed, waiting);
        }

        Teaching with(int changed) {
            return new Teaching(possible, classes, bytes, last, error, changed);
        }

        /** Returns how many photographs were taught. */
        int photographs() {
            int sum = 0;
            for (TaughtClass one : classes) {
                sum += one.photographs().size();
            }
            return sum;
        }
    }

    /**
     * A class that was taught.
     *
     * @param photographs their features
     * @param recognized how many of them the head recognizes that is taught without them, or -1 if
     *     that is not computed yet
     */
    record TaughtClass(String label, List<short[]> photographs, int recognized) {}

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
