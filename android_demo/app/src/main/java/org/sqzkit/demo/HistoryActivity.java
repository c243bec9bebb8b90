package org.sqzkit.demo;

import android.graphics.BitmapFactory;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ImageView;
import android.widget.TextView;
import java.text.DateFormat;
import java.util.Date;

/** The answers so far: a tap goes back to a photo, and what was removed can be brought back. */
public final class HistoryActivity extends StateScreen {
    private Object shown;

    /** Made by the system. */
    public HistoryActivity() {
        super(R.layout.history);
    }

    @Override
    void draw() {
        AppState.History history = engine.state().history();
        boolean removed = history.removed() != null;
        show(R.id.removed, removed);
        if (removed) {
            ((TextView) findViewById(R.id.removed_text)).setText(
                    getString(R.string.history_removed, history.removed().text()));
            findViewById(R.id.undo).setOnClickListener(view -> engine.photos().history().undo());
        }
        ((TextView) findViewById(R.id.hint)).setText(history.answers().isEmpty()
                ? R.string.history_empty : R.string.history_hint);
        if (history.answers() == shown) {
            return; // TalkBack would lose its place
        }
        shown = history.answers();
        ViewGroup answers = findViewById(R.id.answers);
        answers.removeAllViews();
        for (AppState.Answer answer : history.answers()) {
            answers.addView(row(answer, answers));
        }
    }

    private View row(AppState.Answer answer, ViewGroup parent) {
        View row = getLayoutInflater().inflate(R.layout.part_former, parent, false);
        ((ImageView) row.findViewById(R.id.former_photo)).setImageBitmap(BitmapFactory.decodeFile(
                engine.photos().history().thumbnail(answer.photo()).getPath()));
        ((TextView) row.findViewById(R.id.former_text)).setText(answer.text());
        ((TextView) row.findViewById(R.id.former_model)).setText(getString(R.string.summary,
                answer.model(), DateFormat.getDateTimeInstance(DateFormat.MEDIUM, DateFormat.SHORT,
                        getResources().getConfiguration().getLocales().get(0)).format(new Date(answer.time()))));
        row.findViewById(R.id.former).setOnClickListener(view -> {
            engine.photos().goBack(answer.photo());
            finish();
        });
        View remove = row.findViewById(R.id.former_remove);
        remove.setContentDescription(getString(R.string.history_remove, answer.text()));
        remove.setOnClickListener(view -> engine.photos().history().remove(answer));
        return row;
    }

    @Override
    protected void onDestroy() {
        if (isFinishing()) {
            engine.photos().history().finish();
        }
        super.onDestroy();
    }
}
