package org.sqzkit.demo;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.LinearLayout;
import android.widget.ProgressBar;
import android.widget.RadioButton;
import android.widget.RadioGroup;
import android.widget.Spinner;
import android.widget.Switch;
import android.widget.TextView;
import java.util.Map;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.OpenModel;
import org.sqzkit.demo.model.RunOptions;
import org.sqzkit.demo.ui.Bars;
import org.sqzkit.demo.ui.Texts;
import org.sqzkit.demo.ui.TroubleCard;

/** The second screen: which model runs, what it is, and how it runs. */
public final class ModelsActivity extends Activity {
    static final int OPEN = 1;

    private final Runnable redraw = this::draw;
    private Engine engine;
    private Object shownEntries;
    private OpenModel shownModel;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.models);
        Bars.drawBehind(this);
        engine = DemoApp.engine(this);
        findViewById(R.id.open).setOnClickListener(view -> open());
        findViewById(R.id.remove).setOnClickListener(view -> remove(engine.state.model.entry()));
        offerOptions();
    }

    @Override
    protected void onStart() {
        super.onStart();
        engine.state.listen(redraw);
    }

    @Override
    protected void onStop() {
        engine.state.forget(redraw);
        super.onStop();
    }

    private void open() {
        try {
            startActivityForResult(new Intent(Intent.ACTION_OPEN_DOCUMENT)
                    .addCategory(Intent.CATEGORY_OPENABLE).setType("*/*"), OPEN);
        } catch (ActivityNotFoundException e) {
            TroubleCard.show(this, getString(R.string.open_model), getString(R.string.trouble_no_picker));
        }
    }

    private void remove(ModelEntry entry) {
        new AlertDialog.Builder(this)
                .setMessage(getString(R.string.remove_question, entry.fileName()))
                .setPositiveButton(R.string.remove_yes, (dialog, which) -> engine.remove(entry))
                .setNegativeButton(R.string.remove_no, null)
                .show();
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        if (request == OPEN && result == RESULT_OK && data != null && data.getData() != null) {
            engine.openModel(data.getData());
        }
    }

    /** One entry for each number of threads that this device can run at once. */
    private void offerOptions() {
        Integer[] counts = new Integer[RunOptions.mostThreads()];
        for (int i = 0; i < counts.length; i++) {
            counts[i] = i + 1;
        }
        Spinner threads = findViewById(R.id.threads);
        threads.setAdapter(new ArrayAdapter<>(
                this, android.R.layout.simple_spinner_dropdown_item, counts));
        threads.setSelection(engine.state.options.threads() - 1);
        threads.setOnItemSelectedListener(new AdapterView.OnItemSelectedListener() {
            @Override
            public void onItemSelected(AdapterView<?> parent, View view, int position, long id) {
                engine.setOptions(new RunOptions(position + 1, engine.state.options.xnnpack()));
            }

            @Override
            public void onNothingSelected(AdapterView<?> parent) {
                // A spinner with entries always has one selected.
            }
        });
        Switch xnnpack = findViewById(R.id.xnnpack);
        xnnpack.setChecked(engine.state.options.xnnpack());
        xnnpack.setOnCheckedChangeListener((view, on) ->
                engine.setOptions(new RunOptions(engine.state.options.threads(), on)));
    }

    private void draw() {
        AppState state = engine.state;
        if (state.modelTrouble == null) {
            TroubleCard.hide(this);
        } else {
            ModelTexts.showTrouble(this, state);
        }
        drawProgress(state);
        if (state.entries != shownEntries || state.model != shownModel || state.modelTrouble != null) {
            // Not at every step of a progress bar: TalkBack would lose its place.
            drawEntries(state);
            drawCard(state.model);
            shownEntries = state.entries;
            shownModel = state.model;
        }
        boolean removable = state.model != null && !state.model.entry().bundled();
        findViewById(R.id.remove).setVisibility(removable ? View.VISIBLE : View.GONE);
    }

    private void drawProgress(AppState state) {
        findViewById(R.id.expanding).setVisibility(state.opening ? View.VISIBLE : View.GONE);
        ((TextView) findViewById(R.id.expanding_text)).setText(state.expanded < 0
                ? R.string.opening : R.string.model_expanding_plain);
        ProgressBar bar = findViewById(R.id.expanding_bar);
        bar.setIndeterminate(state.expanded < 0);
        bar.setProgress(Math.max(state.expanded, 0));
    }

    private void drawEntries(AppState state) {
        RadioGroup group = findViewById(R.id.entries);
        group.removeAllViews();
        for (ModelEntry entry : state.entries) {
            RadioButton button = new RadioButton(this);
            button.setText(getString(R.string.entry, entry.fileName(), Texts.size(this, entry.bytes())));
            button.setTextSize(16);
            button.setMinHeight(getResources().getDimensionPixelSize(R.dimen.target));
            button.setLayoutParams(new RadioGroup.LayoutParams(
                    RadioGroup.LayoutParams.MATCH_PARENT, RadioGroup.LayoutParams.WRAP_CONTENT));
            button.setChecked(state.model != null && state.model.entry().id().equals(entry.id()));
            button.setOnClickListener(view -> engine.choose(entry));
            group.addView(button);
        }
    }

    private void drawCard(OpenModel model) {
        LinearLayout card = findViewById(R.id.card);
        card.removeAllViews();
        if (model == null) {
            return;
        }
        for (Map.Entry<String, String> line : ModelTexts.card(this, model).entrySet()) {
            View row = getLayoutInflater().inflate(R.layout.card_line, card, false);
            ((TextView) row.findViewById(R.id.card_heading)).setText(line.getKey());
            ((TextView) row.findViewById(R.id.card_value)).setText(line.getValue());
            card.addView(row);
        }
    }
}
