package org.sqzkit.demo;

import android.app.AlertDialog;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.LinearLayout;
import android.widget.RadioButton;
import android.widget.RadioGroup;
import android.widget.Spinner;
import android.widget.Switch;
import android.widget.TextView;
import java.util.Map;
import org.sqzkit.demo.model.Additions;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.LoadedModel;
import org.sqzkit.demo.model.RunOptions;
import org.sqzkit.demo.model.StorageUse;
import org.sqzkit.demo.ui.Formats;
import org.sqzkit.demo.ui.ErrorCard;

/** The second screen: which model runs, what it is, and how it runs. */
public final class ModelsActivity extends StateScreen {
    static final int OPEN = 1;
    static final int LABELS = 2;

    private ProgressCard progress;
    private Object shownEntries;
    private LoadedModel shownModel;

    /** Made by the system. */
    public ModelsActivity() {
        super(R.layout.models);
    }

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        findViewById(R.id.open).setOnClickListener(view -> open(OPEN, "*/*"));
        findViewById(R.id.add_labels).setOnClickListener(view -> open(LABELS, "text/*"));
        findViewById(R.id.set_normalization).setOnClickListener(view -> chooseNormalization());
        findViewById(R.id.remove).setOnClickListener(
                view -> remove(engine.state().models().current().entry()));
        findViewById(R.id.clear).setOnClickListener(view -> engine.clearStorage());
        findViewById(R.id.lab).setOnClickListener(
                view -> startActivity(new Intent(this, LabActivity.class)));
        progress = new ProgressCard(this, engine::cancel);
        offerOptions();
    }

    private void open(int request, String type) {
        try {
            startActivityForResult(new Intent(Intent.ACTION_OPEN_DOCUMENT)
                    .addCategory(Intent.CATEGORY_OPENABLE).setType(type), request);
        } catch (ActivityNotFoundException e) {
            ErrorCard.show(this, getString(R.string.open_model), getString(R.string.error_no_picker));
        }
    }

    private void chooseNormalization() {
        new AlertDialog.Builder(this)
                .setTitle(R.string.normalization_title)
                .setItems(R.array.normalizations, (dialog, which) ->
                        engine.models().setNormalization(Additions.Choice.values()[which]))
                .show();
    }

    private void remove(ModelEntry entry) {
        new AlertDialog.Builder(this)
                .setMessage(getString(R.string.remove_question, entry.fileName()))
                .setPositiveButton(R.string.remove_yes, (dialog, which) -> engine.models().remove(entry))
                .setNegativeButton(R.string.cancel, null)
                .show();
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        if (result != RESULT_OK || data == null || data.getData() == null) {
            return;
        }
        if (request == OPEN) {
            engine.models().open(data.getData());
        } else if (request == LABELS) {
            engine.models().addLabels(data.getData());
        }
    }

    /** One entry for each number of threads that this device can run at once. */
    private void offerOptions() {
        Integer[] counts = new Integer[RunOptions.maxThreads()];
        for (int i = 0; i < counts.length; i++) {
            counts[i] = i + 1;
        }
        Spinner threads = findViewById(R.id.threads);
        threads.setAdapter(new ArrayAdapter<>(
                this, android.R.layout.simple_spinner_dropdown_item, counts));
        threads.setSelection(engine.state().options().threads() - 1);
        threads.setOnItemSelectedListener(new AdapterView.OnItemSelectedListener() {
            @Override
            public void onItemSelected(AdapterView<?> parent, View view, int position, long id) {
                engine.models().setOptions(new RunOptions(position + 1, engine.state().options().xnnpack()));
            }

            @Override
            public void onNothingSelected(AdapterView<?> parent) {
                // A spinner with entries always has one selected.
            }
        });
        Switch xnnpack = findViewById(R.id.xnnpack);
        xnnpack.setChecked(engine.state().options().xnnpack());
        xnnpack.setOnCheckedChangeListener((view, on) ->
                engine.models().setOptions(new RunOptions(engine.state().options().threads(), on)));
    }

    @Override
    void draw() {
        AppState state = engine.state();
        AppState.Models models = state.models();
        if (models.failure() == null) {
            ErrorCard.hide(this);
        } else {
            ModelCard.showFailure(this, engine);
        }
        progress.draw(state);
        if (models.entries() != shownEntries || models.current() != shownModel
                || models.failure() != null) {
            // Not at every step of a progress bar: TalkBack would lose its place.
            drawEntries(models);
            drawCard(models.current());
            shownEntries = models.entries();
            shownModel = models.current();
        }
        LoadedModel model = models.current();
        show(R.id.remove, model != null && !model.entry().bundled());
        show(R.id.add_labels, model != null && model.file().lacksLabels());
        // What was taught is of features that another normalization would change.
        show(R.id.set_normalization, model != null && model.file().lacksNormalization()
                && state.teaching().classes().isEmpty());
        StorageUse use = models.storage();
        AppState.History history = state.history();
        ((TextView) findViewById(R.id.storage)).setText(getString(R.string.storage_text, use.models,
                Formats.size(this, use.modelBytes), Formats.size(this, use.copyBytes),
                history.answers().size(), Formats.size(this, history.bytes())));
    }

    private void drawEntries(AppState.Models models) {
        RadioGroup group = findViewById(R.id.entries);
        group.removeAllViews();
        for (ModelEntry entry : models.entries()) {
            RadioButton button = new RadioButton(this);
            button.setText(getString(R.string.entry, entry.fileName(), Formats.size(this, entry.bytes())));
            button.setTextSize(16);
            button.setTextAlignment(View.TEXT_ALIGNMENT_VIEW_START);
            button.setMinHeight(getResources().getDimensionPixelSize(R.dimen.target));
            button.setLayoutParams(new RadioGroup.LayoutParams(
                    RadioGroup.LayoutParams.MATCH_PARENT, RadioGroup.LayoutParams.WRAP_CONTENT));
            button.setChecked(models.current() != null && models.current().entry().id().equals(entry.id()));
            button.setOnClickListener(view -> engine.models().choose(entry));
            group.addView(button);
        }
    }

    private void drawCard(LoadedModel model) {
        LinearLayout card = findViewById(R.id.card);
        card.removeAllViews();
        if (model == null) {
            return;
        }
        for (Map.Entry<String, String> line : ModelCard.card(this, model).entrySet()) {
            View row = getLayoutInflater().inflate(R.layout.card_line, card, false);
            ((TextView) row.findViewById(R.id.card_heading)).setText(line.getKey());
            ((TextView) row.findViewById(R.id.card_value)).setText(line.getValue());
            card.addView(row);
        }
    }
}
