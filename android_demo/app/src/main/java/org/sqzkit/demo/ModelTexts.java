package org.sqzkit.demo;

import android.app.Activity;
import android.content.Context;
import java.util.LinkedHashMap;
import java.util.Map;
import org.sqzkit.demo.image.Geometry;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.ModelFile;
import org.sqzkit.demo.model.OpenModel;
import org.sqzkit.demo.ui.Texts;
import org.sqzkit.demo.ui.TroubleCard;

/** What the screens say about models. */
final class ModelTexts {
    private ModelTexts() {}

    /** The times of one run, and the medians once there are several. */
    static String timing(Context context, Result result) {
        String now = context.getString(R.string.timing,
                Texts.milliseconds(context, result.preparing()),
                Texts.milliseconds(context, result.inference()));
        if (result.runs() < 2) {
            return now;
        }
        return now + "\n" + context.getString(R.string.timing_median, result.runs(),
                Texts.milliseconds(context, result.medianPreparing()),
                Texts.milliseconds(context, result.medianInference()));
    }

    /** Says what is wrong with the model asked for, and which one goes on. */
    static void showTrouble(Activity screen, AppState state) {
        String text = state.modelTrouble.text(screen);
        if (state.model != null) {
            text = screen.getString(R.string.trouble_model_former, text, state.model.title());
        }
        String title = screen.getString(R.string.trouble_model_title, state.modelTroubleName);
        TroubleCard.show(screen, title, text, R.string.ok, state::readTrouble);
    }

    /** The model card: headings and what stands under them, in order. */
    static Map<String, String> card(Context context, OpenModel model) {
        ModelFile file = model.file();
        ModelEntry entry = model.entry();
        Map<String, String> card = new LinkedHashMap<>();
        put(card, context.getString(R.string.card_architecture), file.name());
        put(card, context.getString(R.string.card_description), file.description());
        if (entry.archive()) {
            put(card, context.getString(R.string.card_archive), Texts.size(context, entry.bytes()));
        }
        put(card, context.getString(R.string.card_size), Texts.size(context, model.modelBytes()));
        put(card, context.getString(R.string.card_quantization), file.quantization());
        put(card, context.getString(R.string.card_input), context.getString(
                R.string.card_input_value, file.width(), file.height(), file.inputType()));
        put(card, context.getString(R.string.card_cut), cut(context, file.geometry()));
        if (!file.normalizationStated()) {
            put(card, context.getString(R.string.card_normalization),
                    context.getString(R.string.card_normalization_guessed));
        }
        put(card, context.getString(R.string.card_classes), file.labels().isEmpty()
                ? context.getString(R.string.card_classes_unnamed, file.classes())
                : String.valueOf(file.classes()));
        put(card, context.getString(R.string.card_author), file.author());
        put(card, context.getString(R.string.card_licence), file.licence());
        put(card, context.getString(R.string.card_origin), context.getString(entry.bundled()
                ? R.string.card_origin_bundled : R.string.card_origin_opened, entry.fileName()));
        put(card, context.getString(R.string.card_checksum), model.sha256());
        return card;
    }

    private static String cut(Context context, Geometry geometry) {
        return geometry.squash()
                ? context.getString(R.string.card_cut_squash, geometry.resizeWidth(), geometry.resizeHeight())
                : context.getString(R.string.card_cut_shorter,
                        Math.min(geometry.resizeWidth(), geometry.resizeHeight()));
    }

    private static void put(Map<String, String> card, String heading, String value) {
        if (!value.isEmpty()) {
            card.put(heading, value);
        }
    }
}
