package org.sqzkit.demo;

import android.app.AlertDialog;
import android.content.Intent;
import android.graphics.BitmapFactory;
import android.os.Bundle;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ImageButton;
import android.widget.ImageView;
import android.widget.LinearLayout;
import android.widget.TextView;
import org.sqzkit.demo.ui.Formats;

/** The screen on which the model in use is taught: classes, their photographs, and sharing them. */
public final class TeachActivity extends StateScreen {
    private static final String LABEL = "label";
    private static final int MAX_CHOSEN = 50;
    private static final String[] MODELS = {PhotoProvider.ARCHIVE, PhotoProvider.MODEL};

    private PhotoPicker picker;
    private LinearLayout classes;

    /** The class for which photographs are being chosen. */
    private String label = "";

    /** Made by the system. */
    public TeachActivity() {
        super(R.layout.teach);
    }

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        picker = new PhotoPicker(this, engine, null);
        classes = findViewById(R.id.classes);
        label = saved == null ? "" : saved.getString(LABEL, "");
        findViewById(R.id.choose).setOnClickListener(view -> choose(name()));
        findViewById(R.id.live).setOnClickListener(view -> live(name()));
        findViewById(R.id.share_model).setOnClickListener(view -> new AlertDialog.Builder(this)
                .setTitle(R.string.teach_share_model)
                .setItems(MODELS, (dialog, which) -> share(MODELS[which]))
                .setNegativeButton(R.string.cancel, null)
                .show());
        findViewById(R.id.share_head).setOnClickListener(view -> share(PhotoProvider.HEAD));
        findViewById(R.id.forget).setOnClickListener(view -> ClassDialogs.forget(
                this, getString(R.string.teach_forget_question), engine.teaching()::forget));
    }

    @Override
    protected void onSaveInstanceState(Bundle out) {
        super.onSaveInstanceState(out);
        out.putString(LABEL, label);
    }

    private String name() {
        return ((TextView) findViewById(R.id.name)).getText().toString().trim();
    }

    private void choose(String wanted) {
        if (isNamed(wanted)) {
            label = wanted;
            picker.choose(MAX_CHOSEN);
        }
    }

    private void live(String wanted) {
        if (isNamed(wanted)) {
            startActivity(new Intent(this, LiveActivity.class).putExtra(LiveActivity.LABEL, wanted));
        }
    }

    private boolean isNamed(String wanted) {
        if (wanted.isEmpty()) {
            engine.store().updateTeaching(now -> now.with(new AppError(R.string.error_teach_name)));
        }
        return !wanted.isEmpty();
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        if (request == PhotoPicker.CHOOSE && result == RESULT_OK) {
            ((TextView) findViewById(R.id.name)).setText("");
            engine.teaching().add(label, PhotoPicker.chosen(data));
        }
    }

    private void share(String name) {
        engine.teaching().share(name, () -> PhotoProvider.share(this, name));
    }

    @Override
    void draw() {
        AppState.Teaching teaching = engine.state().teaching();
        boolean any = !teaching.classes().isEmpty();
        ((TextView) findViewById(R.id.hint)).setText(teaching.possible()
                || engine.state().models().step().running() ? R.string.teach_hint : R.string.teach_not);
        show(R.id.new_class, teaching.possible());
        show(R.id.taught, any);
        show(R.id.share_model, teaching.classes().size() > 1);
        drawError(teaching.error());
        drawLast(teaching);
        ((TextView) findViewById(R.id.limits)).setText(getString(R.string.teach_limits,
                teaching.classes().size(), TeachSession.MAX_CLASSES, teaching.photographs(),
                TeachSession.MAX_PHOTOGRAPHS, Formats.size(this, teaching.bytes())));
        while (classes.getChildCount() > teaching.classes().size()) {
            classes.removeViewAt(classes.getChildCount() - 1);
        }
        for (int i = 0; i < teaching.classes().size(); i++) {
            if (i == classes.getChildCount()) {
                getLayoutInflater().inflate(R.layout.part_class, classes, true);
            }
            draw(classes.getChildAt(i), teaching.classes().get(i));
        }
    }

    /** How sure the head was of the last photograph, or how many are still to be taught. */
    private void drawLast(AppState.Teaching teaching) {
        Result.Taught last = teaching.last();
        String text = teaching.waiting() > 0 ? getString(R.string.teach_waiting, teaching.waiting())
                : last == null ? "" : getString(R.string.teach_last, last.none()
                ? getString(R.string.teach_none) : Formats.summary(this, last.best().get(0)));
        TextView view = findViewById(R.id.last);
        show(R.id.last, !text.isEmpty());
        if (!text.contentEquals(view.getText())) {
            view.setText(text); // announced only when it changes
        }
    }

    private void draw(View card, AppState.TaughtClass one) {
        int count = one.photographs().size();
        ((TextView) card.findViewById(R.id.class_name)).setText(one.label());
        ((TextView) card.findViewById(R.id.class_count)).setText(one.recognized() < 0
                ? getString(R.string.teach_count, count)
                : getString(R.string.teach_sure, count, one.recognized()));
        card.findViewById(R.id.class_choose).setOnClickListener(view -> choose(one.label()));
        card.findViewById(R.id.class_live).setOnClickListener(view -> live(one.label()));
        card.findViewById(R.id.class_rename).setOnClickListener(view -> ClassDialogs.name(this,
                one.label(), name -> engine.teaching().rename(one.label(), name)));
        card.findViewById(R.id.class_delete).setOnClickListener(view -> ClassDialogs.forget(this,
                getString(R.string.teach_delete_question, one.label()),
                () -> engine.teaching().delete(one.label())));
        LinearLayout pictures = card.findViewById(R.id.pictures);
        String shown = one.label() + ' ' + count;
        if (!shown.equals(pictures.getTag())) {
            pictures.setTag(shown);
            pictures.removeAllViews();
            for (int i = 0; i < count; i++) {
                pictures.addView(picture(one, i));
            }
        }
    }

    private View picture(AppState.TaughtClass one, int number) {
        short[] features = one.photographs().get(number);
        int side = getResources().getDimensionPixelSize(R.dimen.sample_side);
        ImageButton button = new ImageButton(this);
        button.setImageBitmap(BitmapFactory.decodeFile(engine.teaching().picture(features).getPath()));
        button.setScaleType(ImageView.ScaleType.CENTER_CROP);
        button.setBackgroundResource(R.drawable.card);
        button.setClipToOutline(true);
        button.setPadding(0, 0, 0, 0);
        button.setContentDescription(getString(R.string.teach_picture, number + 1, one.label()));
        button.setOnClickListener(view -> ClassDialogs.forget(this,
                getString(R.string.teach_remove_question, one.label()),
                () -> engine.teaching().remove(one.label(), features)));
        ViewGroup.MarginLayoutParams size = new LinearLayout.LayoutParams(side, side);
        size.setMarginEnd(side / 9);
        button.setLayoutParams(size);
        return button;
    }
}
