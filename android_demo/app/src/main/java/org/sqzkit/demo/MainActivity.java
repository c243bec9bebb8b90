package org.sqzkit.demo;

import android.app.AlertDialog;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.RectF;
import android.net.Uri;
import android.os.Bundle;
import android.view.View;
import android.widget.Button;
import android.widget.ImageView;
import android.widget.ProgressBar;
import android.widget.Switch;
import android.widget.TextView;
import java.util.List;
import org.sqzkit.demo.image.Resizer;
import org.sqzkit.demo.model.LoadedModel;
import org.sqzkit.demo.model.Prediction;
import org.sqzkit.demo.ui.ErrorCard;
import org.sqzkit.demo.ui.PhotoView;
import org.sqzkit.demo.ui.ResultRows;

/** The first screen: a photo and what the model finds in it. */
public final class MainActivity extends StateScreen {
    private static final String RESULT = "result";
    private static final String OFFERED = "offered";

    private PhotoPicker picker;
    private SampleStrip samples;
    private ProgressCard progress;
    private Preferences preferences;

    /** The model of another app that the user is being asked about, or null. */
    private Uri offered;

    /** Made by the system. */
    public MainActivity() {
        super(R.layout.main);
    }

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        picker = new PhotoPicker(this, engine, saved);
        samples = new SampleStrip(this, engine);
        progress = new ProgressCard(this, engine::cancel);
        findViewById(R.id.frame).setClipToOutline(true);
        findViewById(R.id.choose).setOnClickListener(view -> picker.choose());
        findViewById(R.id.take).setOnClickListener(view -> picker.take());
        findViewById(R.id.live).setOnClickListener(
                view -> startActivity(new Intent(this, LiveActivity.class)));
        findViewById(R.id.teach).setOnClickListener(
                view -> startActivity(new Intent(this, TeachActivity.class)));
        findViewById(R.id.correct).setOnClickListener(
                view -> ClassDialogs.choose(this, engine.state().teaching(), engine.teaching()::correct));
        findViewById(R.id.history).setOnClickListener(
                view -> startActivity(new Intent(this, HistoryActivity.class)));
        findViewById(R.id.share).setOnClickListener(view -> share(answer()));
        preferences = new Preferences(this);
        Switch map = findViewById(R.id.map);
        map.setChecked(preferences.map());
        map.setOnCheckedChangeListener((view, on) -> {
            preferences.setMap(on);
            drawMap(engine.state());
        });
        findViewById(R.id.models).setOnClickListener(
                view -> startActivity(new Intent(this, ModelsActivity.class)));
        if (saved == null) {
            receive(getIntent());
        } else {
            restore(saved);
        }
    }

    /** The photo with its answer. */
    Bitmap answer() {
        boolean taught = engine.state().photo().result().taught() != null;
        return picture(getResources().getDimensionPixelSize(R.dimen.page_side), findViewById(R.id.frame),
                findViewById(taught ? R.id.taught_rows : R.id.rows));
    }

    private void restore(Bundle saved) {
        if (engine.state().photo().bitmap() == null && saved.getBundle(RESULT) != null) {
            engine.photos().restore(Result.restore(saved.getBundle(RESULT)));
        }
        Uri unanswered = saved.getParcelable(OFFERED);
        if (unanswered != null) {
            offer(unanswered);
        }
    }

    @Override
    protected void onNewIntent(Intent intent) {
        super.onNewIntent(intent);
        receive(intent);
    }

    /** Takes what another app shared or opened with this one. */
    private void receive(Intent intent) {
        ShareIntent shared = ShareIntent.read(intent);
        if (shared.uri == null) {
            return;
        }
        if (shared.kind == ShareIntent.Kind.PHOTO) {
            engine.photos().classify(shared.uri);
        } else if (shared.kind == ShareIntent.Kind.VIDEO) {
            engine.video().classify(shared.uri);
            startActivity(new Intent(this, VideoActivity.class));
        } else {
            offer(shared.uri);
        }
    }

    /** Asks before another app changes the model. */
    private void offer(Uri uri) {
        offered = uri;
        new AlertDialog.Builder(this)
                .setMessage(R.string.offer_question)
                .setPositiveButton(R.string.offer_yes, (dialog, which) -> engine.models().open(uri))
                .setNegativeButton(R.string.offer_no, null)
                .setOnDismissListener(dialog -> offered = isChangingConfigurations() ? offered : null)
                .show();
    }

    @Override
    protected void onResume() {
        super.onResume();
        picker.resume();
    }

    @Override
    protected void onSaveInstanceState(Bundle out) {
        super.onSaveInstanceState(out);
        picker.save(out);
        out.putParcelable(OFFERED, offered);
        Result result = engine.state().photo().result();
        if (result != null) {
            out.putBundle(RESULT, result.save());
        }
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        picker.answered(request, result, data);
    }

    @Override
    void draw() {
        AppState state = engine.state();
        ((Button) findViewById(R.id.models)).setText(modelText(state.models()));
        drawPhoto(state.photo());
        drawError(state);
        drawResult(state);
        drawMap(state);
        AppState.Photo photo = state.photo();
        show(R.id.share, photo.bitmap() != null && photo.result() != null);
        show(R.id.history, !state.history().answers().isEmpty());
        progress.draw(state);
        samples.draw(state.models().current());
    }

    private void drawPhoto(AppState.Photo photo) {
        ImageView view = findViewById(R.id.photo);
        view.setImageBitmap(photo.bitmap());
        show(R.id.photo, photo.bitmap() != null);
        show(R.id.hint, photo.bitmap() == null);
        show(R.id.classifying, photo.step().running());
    }

    private String modelText(AppState.Models models) {
        if (models.percent() >= 0) {
            return getString(R.string.model_expanding, models.percent());
        }
        if (models.step().running()) {
            return getString(R.string.model_opening);
        }
        return models.current() == null ? getString(R.string.model_none)
                : getString(R.string.model_button, models.current().title());
    }

    private void drawError(AppState state) {
        if (state.photo().error() != null) {
            ErrorCard.show(this, getString(R.string.error_photo_title),
                    state.photo().error().text(this), R.string.ok, engine::dismissError);
        } else if (!drawError(state.teaching().error()) && state.models().failure() != null) {
            ModelCard.showFailure(this, engine);
        }
    }

    /** Draws where the model looked over the part of the photo that it saw. */
    private void drawMap(AppState state) {
        Result result = state.photo().result();
        LoadedModel model = state.models().current();
        boolean known = result != null && result.map() != null && model != null
                && state.photo().bitmap() != null;
        show(R.id.map, known);
        PhotoView view = findViewById(R.id.photo);
        if (!known || !preferences.map()) {
            view.showMap(null, null);
            return;
        }
        int width = state.photo().bitmap().getWidth();
        int height = state.photo().bitmap().getHeight();
        int[] seen = Resizer.source(width, height, model.file().geometry());
        view.showMap(result.map().picture(), new RectF((float) seen[0] / width,
                (float) seen[1] / height, (float) seen[2] / width, (float) seen[3] / height));
    }

    /** The first answer on the photo, the head's if there is one; the others below. */
    private void drawResult(AppState state) {
        Result result = state.photo().result();
        boolean taught = result != null && result.taught() != null;
        show(R.id.result, result != null);
        show(R.id.hero, result != null);
        show(R.id.taught, taught);
        show(R.id.taught_rows, taught);
        show(R.id.own, taught);
        show(R.id.correct, result != null && state.teaching().possible()
                && state.photo().bitmap() != null);
        ((Button) findViewById(R.id.correct)).setText(taught ? R.string.correct : R.string.teach_this);
        if (result == null) {
            return;
        }
        TextView summary = findViewById(R.id.summary);
        String text = result.headline(this);
        if (!text.contentEquals(summary.getText())) {
            summary.setText(text); // announced only when it changes
        }
        show(R.id.summary_bar, !result.isNone());
        List<Prediction> best = result.answers();
        ((ProgressBar) findViewById(R.id.summary_bar)).setProgress(
                Math.round(1000 * best.get(0).probability()));
        List<Prediction> others = best.subList(result.isNone() ? 0 : 1, best.size());
        if (taught) {
            ((ResultRows) findViewById(R.id.taught_rows)).show(others);
            ((TextView) findViewById(R.id.own)).setText(getString(R.string.model_button, result.modelTitle()));
        }
        ResultRows rows = findViewById(R.id.rows);
        show(R.id.nothing_else, !rows.show(taught ? result.best() : others));
        ((TextView) findViewById(R.id.timing)).setText(ModelCard.timing(this, result));
    }
}
