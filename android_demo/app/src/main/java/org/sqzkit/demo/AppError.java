package org.sqzkit.demo;

import android.content.Context;
import java.util.Arrays;

/** A failure that the user can understand and act on; the message is a string resource. */
public final class AppError extends Exception {
    private static final long serialVersionUID = 1;

    private final int message;
    private final transient Object[] arguments;

    /** Takes a string resource and the numbers and texts to fill in. */
    public AppError(int message, Object... arguments) {
        this.message = message;
        this.arguments = arguments;
    }

    /** Returns what to tell the user about anything that was thrown. */
    static AppError of(Throwable thrown) {
        if (thrown instanceof AppError) {
            return (AppError) thrown;
        }
        if (thrown instanceof OutOfMemoryError) {
            return new AppError(R.string.error_memory);
        }
        return new AppError(R.string.error_unexpected, thrown.getClass().getSimpleName());
    }

    /** The string resource. */
    public int resource() {
        return message;
    }

    /** The message in the user's language. */
    public String text(Context context) {
        return context.getString(message, arguments);
    }

    @Override
    public String getMessage() {
        return "resource " + message + " " + Arrays.toString(arguments);
    }
}
