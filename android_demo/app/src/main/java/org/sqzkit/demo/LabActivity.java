package org.sqzkit.demo;

import android.app.Activity;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.GridLayout;
import android.widget.LinearLayout;
import android.widget.ProgressBar;
import android.widget.Spinner;
import android.widget.TextView;
import java.util.ArrayList;
import java.util.List;
import org.sqzkit.demo.model.Benchmark;
import org.sqzkit.demo.model.LoadedModel;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.ui.Formats;
import org.sqzkit.demo.ui.ResultRows;

/** The laboratory: two models on one photo, and how fast they run on this phone. */
public final class LabActivity extends StateScreen {
    /** Two answers do not fit beside each other on fewer dp, measured in letters of usual size. */
    private static final int MIN_WIDTH_OF_TWO = 380;
    private static final int BAR_MAX = 1000;

    private final List<ModelEntry> choices = new ArrayList<>();
    private Object shownRows;
    private Object shownEntries;
    private LoadedModel shownModel;

    /** Made by the system. */
    public LabActivity() {
        super(R.layout.lab);
    }

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        float width = getResources().getConfiguration().screenWidthDp
                / getResources().getConfiguration().fontScale
                / ((GridLayout) findViewById(R.id.panes)).getColumnCount();
        LinearLayout answers = findViewById(R.id.answers);
        answers.setOrientation(width < MIN_WIDTH_OF_TWO ? LinearLayout.VERTICAL : LinearLayout.HORIZONTAL);
        for (int i = 0; i < 2; i++) {
            View answer = getLayoutInflater().inflate(R.layout.part_answer, answers, false);
            if (width < MIN_WIDTH_OF_TWO) {
                answer.setLayoutParams(new LinearLayout.LayoutParams(
                        LinearLayout.LayoutParams.MATCH_PARENT, LinearLayout.LayoutParams.WRAP_CONTENT));
            }
            answers.addView(answer);
        }
        findViewById(R.id.video).setOnClickListener(
                view -> startActivity(new Intent(this, VideoActivity.class)));
        findViewById(R.id.measure).setOnClickListener(view -> engine.lab().measure());
        findViewById(R.id.stop).setOnClickListener(view -> engine.lab().cancel());
        findViewById(R.id.share_csv).setOnClickListener(view -> {
            List<BenchmarkRow> rows = engine.state().lab().rows();
            share(PhotoProvider.CSV, task -> LabSession.csv(rows));
        });
        findViewById(R.id.share_picture).setOnClickListener(
                view -> share(picture(0, findViewById(R.id.sheet))));
    }

    /** The other models, after "none". */
    private void offerModels(AppState.Models models) {
        choices.clear();
        choices.add(null);
        List<String> names = new ArrayList<>();
        names.add(getString(R.string.lab_none));
        for (ModelEntry entry : models.entries()) {
            if (models.current() == null || !models.current().entry().id().equals(entry.id())) {
                choices.add(entry);
                names.add(entry.fileName());
            }
        }
        Spinner spinner = findViewById(R.id.second);
        spinner.setOnItemSelectedListener(null);
        spinner.setAdapter(new ArrayAdapter<>(
                this, android.R.layout.simple_spinner_dropdown_item, names));
        spinner.setSelection(Math.max(0, choices.indexOf(engine.lab().second())));
        spinner.setOnItemSelectedListener(new AdapterView.OnItemSelectedListener() {
            @Override
            public void onItemSelected(AdapterView<?> parent, View view, int position, long id) {
                engine.lab().setSecond(choices.get(position));
            }

            @Override
            public void onNothingSelected(AdapterView<?> parent) {
                // A spinner with entries always has one selected.
            }
        });
    }

    @Override
    void draw() {
        AppState state = engine.state();
        AppState.Models models = state.models();
        if (models.entries() != shownEntries || models.current() != shownModel) {
            shownEntries = models.entries();
            shownModel = models.current();
            offerModels(models);
        }
        engine.lab().compare();
        AppState.Lab lab = engine.state().lab();
        drawError(lab.error());
        LinearLayout answers = findViewById(R.id.answers);
        drawAnswer(this, answers.getChildAt(0), state.photo().result());
        drawAnswer(this, answers.getChildAt(1), lab.second());
        show(R.id.no_photo, state.photo().bitmap() == null);
        drawAgreement(state.photo().result(), lab.second());
        drawBenchmark(models, lab);
    }

    /** Shows what one of two models says; nothing for null. */
    static void drawAnswer(Activity screen, View card, Result result) {
        card.setVisibility(result == null ? View.GONE : View.VISIBLE);
        if (result != null) {
            ((TextView) card.findViewById(R.id.answer_model)).setText(result.modelTitle());
            ((ResultRows) card.findViewById(R.id.answer_rows)).show(result.best());
            ((TextView) card.findViewById(R.id.answer_time)).setText(screen.getString(
                    R.string.lab_time, Formats.milliseconds(screen, result.inference())));
        }
    }

    private void drawAgreement(Result first, Result second) {
        boolean both = first != null && second != null;
        show(R.id.agreement, both);
        if (both) {
            boolean same = Formats.label(this, first.best().get(0))
                    .equals(Formats.label(this, second.best().get(0)));
            ((TextView) findViewById(R.id.agreement)).setText(
                    same ? R.string.lab_same : R.string.lab_different);
        }
    }

    private void drawBenchmark(AppState.Models models, AppState.Lab lab) {
        boolean running = lab.total() > 0;
        show(R.id.measure, !running && models.current() != null);
        show(R.id.running, running);
        show(R.id.sheet, !lab.rows().isEmpty());
        show(R.id.share_csv, !running && !lab.rows().isEmpty());
        show(R.id.share_picture, !running && !lab.rows().isEmpty());
        if (running) {
            ((TextView) findViewById(R.id.measuring)).setText(
                    getString(R.string.lab_progress, lab.rows().size() + 1, lab.total()));
            ((ProgressBar) findViewById(R.id.measured)).setProgress(
                    BAR_MAX * lab.rows().size() / lab.total());
        }
        if (lab.rows() != shownRows) {
            shownRows = lab.rows();
            drawRows(lab.rows());
        }
    }

    private void drawRows(List<BenchmarkRow> rows) {
        LinearLayout sheet = findViewById(R.id.sheet);
        sheet.removeAllViews();
        long slowest = 1;
        for (BenchmarkRow row : rows) {
            slowest = row.times() == null ? slowest : Math.max(slowest, row.times().p50());
        }
        String model = "";
        for (BenchmarkRow row : rows) {
            if (!row.sha256().equals(model)) {
                model = row.sha256();
                View heading = getLayoutInflater().inflate(R.layout.card_line, sheet, false);
                ((TextView) heading.findViewById(R.id.card_value)).setText(row.model());
                String[] where = row.where().split(",");
                ((TextView) heading.findViewById(R.id.card_heading)).setText(
                        getString(R.string.lab_where, where[0], where[2], Formats.size(this, row.bytes())));
                sheet.addView(heading);
            }
            sheet.addView(line(row, slowest));
        }
    }

    private View line(BenchmarkRow row, long slowest) {
        LinearLayout line = new LinearLayout(this);
        line.setOrientation(LinearLayout.VERTICAL);
        line.setFocusable(true);
        getLayoutInflater().inflate(R.layout.row, line);
        TextView below = new TextView(this, null, 0, R.style.Quiet_Details);
        line.addView(below);
        String way = getString(row.options().xnnpack() ? R.string.lab_xnnpack : R.string.lab_plain,
                row.options().threads());
        Benchmark.Times times = row.times();
        String speed = times == null ? "–"
                : getString(R.string.lab_time, Formats.milliseconds(this, times.p50()));
        String details = times == null ? getString(R.string.lab_failed)
                : getString(R.string.lab_details, Formats.milliseconds(this, times.p90()),
                        Formats.milliseconds(this, times.open()),
                        Formats.milliseconds(this, times.first()), Formats.size(this, times.memory()));
        ((TextView) line.findViewById(R.id.label)).setText(way);
        ((TextView) line.findViewById(R.id.percent)).setText(speed);
        below.setText(details);
        ((ProgressBar) line.findViewById(R.id.bar)).setProgress(
                times == null ? 0 : (int) (BAR_MAX * times.p50() / slowest));
        line.setContentDescription(getString(R.string.lab_row, way, speed, details));
        return line;
    }
}
