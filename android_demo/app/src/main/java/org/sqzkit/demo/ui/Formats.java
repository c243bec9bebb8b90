package org.sqzkit.demo.ui;

import android.content.Context;
import java.text.NumberFormat;
import java.util.Locale;
import org.sqzkit.demo.R;
import org.sqzkit.demo.model.Prediction;

/** Numbers and names as the user's language writes them. */
public final class Formats {
    private Formats() {}

    private static Locale locale(Context context) {
        return context.getResources().getConfiguration().getLocales().get(0);
    }

    private static NumberFormat digits(NumberFormat format, int count) {
        format.setMinimumFractionDigits(count);
        format.setMaximumFractionDigits(count);
        return format;
    }

    /** "97.3%". */
    public static String percent(Context context, float probability) {
        return digits(NumberFormat.getPercentInstance(locale(context)), 1).format(probability);
    }

    /** "4.1". */
    public static String milliseconds(Context context, long nanoseconds) {
        return digits(NumberFormat.getInstance(locale(context)), 1).format(nanoseconds / 1e6);
    }

    /** "12.5". */
    public static String oneDigit(Context context, double number) {
        return digits(NumberFormat.getInstance(locale(context)), 1).format(number);
    }

    /** "0:07", or "0:07.3" with tenths of a second. */
    public static String time(Context context, long millis, boolean tenths) {
        long minutes = millis / 60_000;
        return tenths
                ? String.format(locale(context), "%d:%04.1f", minutes, millis % 60_000 / 100 / 10.0)
                : String.format(locale(context), "%d:%02d", minutes, millis % 60_000 / 1000);
    }

    /** "435 KB", "1.28 MB" in powers of ten, as stores and file managers count. */
    public static String size(Context context, long bytes) {
        NumberFormat format = NumberFormat.getInstance(locale(context));
        if (bytes < 1_000_000) {
            return digits(format, bytes < 10_000 ? 1 : 0).format(bytes / 1e3) + " KB";
        }
        return digits(format, 2).format(bytes / 1e6) + " MB";
    }

    /** The class's name, or "class 17". */
    public static String label(Context context, Prediction prediction) {
        return prediction.label() == null
                ? context.getString(R.string.class_number, prediction.index()) : prediction.label();
    }

    /** "daisy, 97.3%". */
    public static String summary(Context context, Prediction best) {
        return context.getString(R.string.summary,
                label(context, best), percent(context, best.probability()));
    }
}
