package org.sqzkit.demo.ui;

import android.content.Context;
import android.util.AttributeSet;
import android.view.LayoutInflater;
import android.view.View;
import android.widget.LinearLayout;
import android.widget.ProgressBar;
import android.widget.TextView;
import java.util.ArrayList;
import java.util.List;
import org.sqzkit.demo.R;
import org.sqzkit.demo.model.Prediction;

/** The most probable classes, each with its name, percentage and bar. */
public final class ResultRows extends LinearLayout {
    private static final int GAP_DP = 10;
    /** Classes below are left out: a row of 0.0 % says nothing. */
    private static final float MIN_PROBABILITY = 0.01f;

    public ResultRows(Context context, AttributeSet attributes) {
        super(context, attributes);
    }

    /** Shows those of {@code best} that have at least 1 %, best first; says whether there are any. */
    public boolean show(List<Prediction> best) {
        List<Prediction> predictions = new ArrayList<>();
        for (Prediction prediction : best) {
            if (prediction.probability() >= MIN_PROBABILITY) {
                predictions.add(prediction);
            }
        }
        while (getChildCount() > predictions.size()) {
            removeViewAt(getChildCount() - 1);
        }
        while (getChildCount() < predictions.size()) {
            addView(newRow());
        }
        for (int i = 0; i < predictions.size(); i++) {
            fill(getChildAt(i), predictions.get(i));
        }
        return !predictions.isEmpty();
    }

    private View newRow() {
        LinearLayout row = new LinearLayout(getContext());
        row.setOrientation(VERTICAL);
        row.setFocusable(true);
        int gap = Math.round(GAP_DP * getResources().getDisplayMetrics().density);
        row.setPadding(0, gap, 0, 0);
        LayoutInflater.from(getContext()).inflate(R.layout.row, row, true);
        return row;
    }

    private void fill(View row, Prediction prediction) {
        String label = Formats.label(getContext(), prediction);
        String percent = Formats.percent(getContext(), prediction.probability());
        ((TextView) row.findViewById(R.id.label)).setText(label);
        ((TextView) row.findViewById(R.id.percent)).setText(percent);
        ((ProgressBar) row.findViewById(R.id.bar)).setProgress(Math.round(1000 * prediction.probability()));
        row.setContentDescription(getContext().getString(R.string.summary, label, percent));
    }
}
