package org.sqzkit.demo;

import android.os.Bundle;
import java.util.ArrayList;
import java.util.List;
import org.sqzkit.demo.model.Prediction;

/**
 * What the app shows for one photograph.
 *
 * @param best the most probable classes, best first
 * @param modelTitle which model said so
 * @param preprocessing, inference nanoseconds of this run
 * @param medianPreprocessing, medianInference nanoseconds, over the last {@code runs} runs
 */
record Result(List<Prediction> best, String modelTitle, long preprocessing, long inference,
        long medianPreprocessing, long medianInference, int runs) {

    /** Stores everything for a later process. */
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
        return out;
    }

    /** What {@link #save} stored; null for null. */
    static Result restore(Bundle in) {
        if (in == null) {
            return null;
        }
        int[] indices = in.getIntArray("indices");
        String[] labels = in.getStringArray("labels");
        float[] probabilities = in.getFloatArray("probabilities");
        long[] times = in.getLongArray("times");
        List<Prediction> best = new ArrayList<>();
        for (int i = 0; i < indices.length; i++) {
            best.add(new Prediction(indices[i], labels[i], probabilities[i]));
        }
        return new Result(best, in.getString("model"), times[0], times[1], times[2], times[3],
                in.getInt("runs"));
    }
}
