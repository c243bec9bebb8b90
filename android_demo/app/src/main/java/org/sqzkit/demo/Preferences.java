package org.sqzkit.demo;

import android.content.Context;
import android.content.SharedPreferences;
import org.sqzkit.demo.model.RunOptions;

/** What the user chose, kept across the end of the process. */
final class Preferences {
    private static final String MODEL = "model";
    private static final String SECOND = "second";
    private static final String THREADS = "threads";
    private static final String XNNPACK = "xnnpack";
    private static final String SMOOTH = "smooth";
    private static final String MAP = "map";

    private final SharedPreferences stored;

    Preferences(Context context) {
        stored = context.getSharedPreferences("choices", Context.MODE_PRIVATE);
    }

    /** Returns the identifier of the model used last; empty before the first. */
    String model() {
        return stored.getString(MODEL, "");
    }

    void setModel(String id) {
        stored.edit().putString(MODEL, id).apply();
    }

    /** Returns the identifier of the model that is compared with; empty if there is none. */
    String second() {
        return stored.getString(SECOND, "");
    }

    void setSecond(String id) {
        stored.edit().putString(SECOND, id).apply();
    }

    RunOptions options() {
        RunOptions defaults = RunOptions.defaults();
        int threads = stored.getInt(THREADS, defaults.threads());
        return new RunOptions(Math.max(1, Math.min(threads, RunOptions.maxThreads())),
                stored.getBoolean(XNNPACK, defaults.xnnpack()));
    }

    void setOptions(RunOptions options) {
        stored.edit().putInt(THREADS, options.threads()).putBoolean(XNNPACK, options.xnnpack()).apply();
    }

    /** Returns whether the live view shows the mean of several frames. */
    boolean smooth() {
        return stored.getBoolean(SMOOTH, true);
    }

    /** Returns whether the screens show where the model looked. */
    boolean map() {
        return stored.getBoolean(MAP, false);
    }

    void setMap(boolean shown) {
        stored.edit().putBoolean(MAP, shown).apply();
    }

    void setSmooth(boolean smooth) {
        stored.edit().putBoolean(SMOOTH, smooth).apply();
    }
}
