package org.sqzkit.demo;

import android.app.Activity;
import android.content.Context;
import java.util.LinkedHashMap;
import java.util.Map;
import org.sqzkit.demo.image.Geometry;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.ModelFile;
import org.sqzkit.demo.model.LoadedModel;
import org.sqzkit.demo.ui.Formats;
import org.sqzkit.demo.ui.ErrorCard;

/** Texts about models. */
final class ModelCard {
    private ModelCard() {}

    /** Returns the times of one run, and the medians after several runs. */
    static String timing(Context context, Result result) {
        String now = context.getString(R.string.timing,
                Formats.milliseconds(context, result.preprocessing()),
                Formats.milliseconds(context, result.inference()));
        if (result.runs() < 2) {
            return now;
        }
        return now + "\n" + context.getString(R.string.timing_median, result.runs(),
                Formats.milliseconds(context, result.medianPreprocessing()),
                Formats.milliseconds(context, result.medianInference()));
    }

    /** Shows why a model is not in use, and which one is. */
    static void showFailure(Activity screen, Engine engine) {
        AppState.Models models = engine.state().models();
        String text = models.failure().error().text(screen);
        if (models.current() != null) {
            text = screen.getString(R.string.error_model_former, text, models.current().title());
        }
        String name = models.failure().name();
        String title = name.isEmpty() ? screen.getString(R.string.error_general_title)
                : screen.getString(R.string.error_model_title, name);
        ErrorCard.show(screen, title, text, R.string.ok, engine::dismissError);
    }

    /** Returns the model card: headings and their values, in order. */
    static Map<String, String> card(Context context, LoadedModel model) {
        ModelFile file = model.file();
        ModelEntry entry = model.entry();
        Map<String, String> card = new LinkedHashMap<>();
        put(card, context.getString(R.string.card_architecture), file.name());
        put(card, context.getString(R.string.card_description), file.description());
        if (entry.archive()) {
            put(card, context.getString(R.string.card_archive), Formats.size(context, entry.bytes()));
        }
        put(card, context.getString(R.string.card_size), Formats.size(context, model.modelBytes()));
        put(card, context.getString(R.string.card_quantization), file.quantization());
        put(card, context.getString(R.string.card_input), context.getString(
                R.string.card_input_value, file.width(), file.height(), file.inputType()));
        put(card, context.getString(R.string.card_cut), cut(context, file.geometry()));
        if (file.lacksNormalization()) {
            put(card, context.getString(R.string.card_normalization), file.choice() == null
                    ? context.getString(R.string.card_normalization_guessed)
                    : context.getResources().getStringArray(R.array.normalizations)[file.choice().ordinal()]);
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
