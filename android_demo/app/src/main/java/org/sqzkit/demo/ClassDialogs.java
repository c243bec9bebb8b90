package org.sqzkit.demo;

import android.app.Activity;
import android.app.AlertDialog;
import android.text.InputType;
import android.widget.EditText;
import android.widget.FrameLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Asks which class a photograph shows, and what a class is called. */
final class ClassDialogs {
    private ClassDialogs() {}

    /** Asks for one of the classes that were taught, or for a new one. */
    static void choose(Activity screen, AppState.Teaching teaching, Consumer<String> chosen) {
        List<String> labels = new ArrayList<>();
        for (AppState.TaughtClass one : teaching.classes()) {
            labels.add(one.label());
        }
        int known = labels.size();
        if (known == 0) {
            name(screen, "", chosen);
            return;
        }
        labels.add(screen.getString(R.string.teach_new));
        new AlertDialog.Builder(screen)
                .setTitle(R.string.correct)
                .setItems(labels.toArray(new String[0]), (dialog, which) -> {
                    if (which < known) {
                        chosen.accept(labels.get(which));
                    } else {
                        name(screen, "", chosen);
                    }
                })
                .setNegativeButton(R.string.cancel, null)
                .show();
    }

    /** Asks for a name. */
    static void name(Activity screen, String present, Consumer<String> named) {
        EditText name = new EditText(screen);
        name.setId(R.id.name);
        name.setHint(R.string.teach_name);
        name.setInputType(InputType.TYPE_CLASS_TEXT | InputType.TYPE_TEXT_FLAG_CAP_SENTENCES);
        name.setText(present);
        FrameLayout frame = new FrameLayout(screen);
        int side = screen.getResources().getDimensionPixelSize(R.dimen.dialog_side);
        frame.setPadding(side, 0, side, 0);
        frame.addView(name);
        new AlertDialog.Builder(screen)
                .setTitle(present.isEmpty() ? R.string.teach_name : R.string.teach_rename)
                .setMessage(present.isEmpty() ? null : screen.getText(R.string.teach_merges))
                .setView(frame)
                .setPositiveButton(R.string.ok,
                        (dialog, which) -> named.accept(name.getText().toString().trim()))
                .setNegativeButton(R.string.cancel, null)
                .show();
    }

    /** Asks before something is forgotten. */
    static void forget(Activity screen, String question, Runnable yes) {
        new AlertDialog.Builder(screen)
                .setMessage(question)
                .setPositiveButton(R.string.teach_forget_yes, (dialog, which) -> yes.run())
                .setNegativeButton(R.string.cancel, null)
                .show();
    }
}
