package org.sqzkit.demo;

import android.app.Activity;
import android.content.Intent;
import android.net.Uri;
import android.os.Bundle;
import android.os.Parcelable;
import android.view.View;
import android.widget.Button;
import android.widget.ImageView;
import android.widget.TextView;
import org.sqzkit.demo.ui.Bars;
import org.sqzkit.demo.ui.ResultRows;
import org.sqzkit.demo.ui.Texts;
import org.sqzkit.demo.ui.TroubleCard;

/** The first screen: a photograph and what the model says about it. */
public final class MainActivity extends Activity {
    private static final String RESULT = "result";

    private final Runnable redraw = this::draw;
    private Engine engine;
    private PhotoRequests requests;
    private SampleStrip samples;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.main);
        Bars.drawBehind(this);
        engine = DemoApp.engine(this);
        requests = new PhotoRequests(this, engine, saved);
        samples = new SampleStrip(this, engine);
        findViewById(R.id.frame).setClipToOutline(true);
        findViewById(R.id.choose).setOnClickListener(view -> requests.choose());
        findViewById(R.id.take).setOnClickListener(view -> requests.take());
        findViewById(R.id.live).setOnClickListener(
                view -> startActivity(new Intent(this, LiveActivity.class)));
        findViewById(R.id.models).setOnClickListener(
                view -> startActivity(new Intent(this, ModelsActivity.class)));
        if (saved == null) {
            receive(getIntent());
        } else if (engine.state.photo == null && saved.getBundle(RESULT) != null) {
            engine.restore(Result.restore(saved.getBundle(RESULT)));
        }
    }

    @Override
    protected void onNewIntent(Intent intent) {
        super.onNewIntent(intent);
        receive(intent);
    }

    /** Takes what another app shared or opened with this one. */
    private void receive(Intent intent) {
        Parcelable shared = intent.getData();
        if (Intent.ACTION_SEND.equals(intent.getAction())) {
            shared = intent.getParcelableExtra(Intent.EXTRA_STREAM);
        }
        if (!(shared instanceof Uri)) {
            return; // another app may send anything
        }
        Uri uri = (Uri) shared;
        String type = intent.getType();
        if (type != null && type.startsWith("image/")) {
            engine.classify(uri);
        } else {
            engine.openModel(uri);
        }
    }

    @Override
    protected void onStart() {
        super.onStart();
        engine.state.listen(redraw);
    }

    @Override
    protected void onResume() {
        super.onResume();
        requests.back();
    }

    @Override
    protected void onStop() {
        engine.state.forget(redraw);
        super.onStop();
    }

    @Override
    protected void onSaveInstanceState(Bundle out) {
        super.onSaveInstanceState(out);
        requests.save(out);
        if (engine.state.result != null) {
            out.putBundle(RESULT, engine.state.result.save());
        }
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        requests.answered(request, result, data);
    }

    private void draw() {
        AppState state = engine.state;
        ((Button) findViewById(R.id.models)).setText(modelText(state));
        ImageView photo = findViewById(R.id.photo);
        photo.setImageBitmap(state.photo);
        photo.setVisibility(state.photo == null ? View.GONE : View.VISIBLE);
        findViewById(R.id.hint).setVisibility(state.photo == null ? View.VISIBLE : View.GONE);
        findViewById(R.id.classifying).setVisibility(state.classifying ? View.VISIBLE : View.GONE);
        drawTrouble(state);
        drawResult(state.result);
        samples.draw(state.model);
    }

    private String modelText(AppState state) {
        if (state.expanded >= 0) {
            return getString(R.string.model_expanding, state.expanded);
        }
        if (state.opening) {
            return getString(R.string.model_opening);
        }
        return state.model == null ? getString(R.string.model_none)
                : getString(R.string.model_button, state.model.title());
    }

    private void drawTrouble(AppState state) {
        if (state.photoTrouble != null) {
            TroubleCard.show(this, getString(R.string.trouble_photo_title),
                    state.photoTrouble.text(this), R.string.ok, state::readTrouble);
        } else if (state.modelTrouble != null) {
            ModelTexts.showTrouble(this, state);
        } else {
            TroubleCard.hide(this);
        }
    }

    private void drawResult(Result result) {
        findViewById(R.id.result).setVisibility(result == null ? View.GONE : View.VISIBLE);
        if (result == null) {
            return;
        }
        TextView summary = findViewById(R.id.summary);
        String text = Texts.summary(this, result.best().get(0));
        if (!text.contentEquals(summary.getText())) {
            summary.setText(text); // announced only when it changes
        }
        ((ResultRows) findViewById(R.id.rows)).show(result.best());
        ((TextView) findViewById(R.id.timing)).setText(ModelTexts.timing(this, result));
    }
}
