package org.sqzkit.demo;

import android.content.Context;

/** Something that the user can understand and act on; the message is a string resource. */
public final class Trouble extends Exception {
    private static final long serialVersionUID = 1;

    private final int message;
    private final transient Object[] arguments;

    /** Takes a string resource and what to fill in; numbers and texts only. */
    public Trouble(int message, Object... arguments) {
        this.message = message;
        this.arguments = arguments;
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
        return "resource " + message + " " + java.util.Arrays.toString(arguments);
    }
}
