package org.sqzkit.demo;

import android.content.Context;
import android.os.Bundle;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.sqzkit.demo.model.ActivationMap;
import org.sqzkit.demo.model.Prediction;
import org.sqzkit.demo.ui.Formats;

/**
 * What the app shows for one photograph.
 *
 * @param best the most probable classes, best first
 * @param modelTitle which model said so
 * @param preprocessing, inference nanoseconds of this run
 * @param medianPreprocessing, medianInference nanoseconds, over the last {@code runs} runs
 * @param taught what the head that was taught says, or null if there is none
 * @param map where the model looked for the first class, or null if it does not say
 * @param example what to teach of this photograph, or null if it was not asked for
 */
record Result(List<Prediction> best, String modelTitle, long preprocessing, long inference,
        long medianPreprocessing, long medianInference, int runs, Taught taught, ActivationMap map,
        Example example) {

    /**
     * What a head says.
     *
     * @param best the most probable of the classes that were taught, best first
     * @param none whether the photograph seems to show none of them
     */
    record Taught(List<Prediction> best, boolean none) {}

    /**
     * A photograph to be taught.
     *
     * @param picture a small JPEG of what the model saw
     */
    record Example(short[] features, byte[] picture) {}

    /** Returns what the head says, or without one what the model says. */
    List<Prediction> answers() {
        return taught == null ? best : taught.best();
    }

    /** Returns whether the photograph seems to show nothing that was taught. */
    boolean isNone() {
        return taught != null && taught.none();
    }

    /** Returns the first answer as the screens show it. */
    String headline(Context context) {
        return isNone() ? context.getString(R.string.teach_none) : Formats.summary(context, answers().get(0));
    }

    /** Stores everything but what was taught for a later process: the head may be another one then. */
    Bundle save() {
        int count = best.size();
        int[] indices = new int[count];
        String[] labels = new String[count];
        float[] probabilities = new float[count];
        for (int i = 0; i < count; i++) {
            indices[i] = best.get(i).index();
            labels[i] = best.get(i).label();
            probabilities[i] = best.get(i).probability();
        }
        Bundle out = new Bundle();
        out.putIntArray("indices", indices);
        out.putStringArray("labels", labels);
        out.putFloatArray("probabilities", probabilities);
        out.putString("model", modelTitle);
        out.putLongArray("times", new long[] {preprocessing, inference, medianPreprocessing, medianInference});
        out.putInt("runs", runs);
        if (map != null) {
            out.putFloatArray("map", map.shares());
            out.putInt("width", map.width());
        }
        return out;
    }

    /** What {@link #save} stored; null for null, and for what another version of the app stored. */
    static Result restore(Bundle in) {
        if (in == null) {
            return null;
        }
        try {
            return read(in);
        } catch (NullPointerException | IndexOutOfBoundsException e) {
            return null; // Android keeps a screen's state through an update of the app
        }
    }

    private static Result read(Bundle in) {
        int[] indices = in.getIntArray("indices");
        String[] labels = in.getStringArray("labels");
        float[] probabilities = in.getFloatArray("probabilities");
        long[] times = in.getLongArray("times");
        List<Prediction> best = new ArrayList<>();
        for (int i = 0; i < indices.length; i++) {
            best.add(new Prediction(indices[i], labels[i], probabilities[i]));
        }
        float[] map = in.getFloatArray("map");
        best.get(0); // no result is without an answer
        return new Result(best, Objects.requireNonNull(in.getString("model")), times[0], times[1], times[2], times[3],
                in.getInt("runs"), null,
                map == null ? null : new ActivationMap(map, in.getInt("width")), null);
    }
}
