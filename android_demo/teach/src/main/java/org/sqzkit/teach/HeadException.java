package org.sqzkit.teach;

import java.io.IOException;

/** A head cannot be read, changed or merged as asked; it stays as it was. */
public final class HeadException extends IOException {
    private static final long serialVersionUID = 1;

    private final Code code;

    /** What is wrong, for apps that tell it in their own words. */
    public enum Code {
        /** The content does not begin as a .head file does. */
        NOT_A_HEAD,
        /** The file is of a newer version, or of version 1 with sums alone. */
        OTHER_VERSION,
        /** The file was cut off or changed, or its sums cannot be those of photographs. */
        DAMAGED,
        /** The file, or the number of classes or photographs, is above its limit. */
        TOO_LARGE,
        /** The head was taught on the features of another model. */
        OTHER_MODEL,
        /** A class name is empty, too long, or not one line of text. */
        BAD_NAME,
        /** There is no class of that name. */
        NO_SUCH_CLASS,
        /** The class does not hold that photograph. */
        NO_SUCH_PHOTOGRAPH,
        /** Only the sums of the class's photographs are here, so they cannot be taken back. */
        ONLY_SUMS,
        /** The head has no photographs yet. */
        NOTHING_TAUGHT,
        /** The model is damaged, or its graph has no features to teach from. */
        NOT_TEACHABLE,
    }

    HeadException(Code code, String message) {
        super(message);
        this.code = code;
    }

    static HeadException damaged(String reason) {
        return new HeadException(Code.DAMAGED, "damaged .head file: " + reason);
    }

    static HeadException damagedModel(Exception cause) {
        HeadException error = unfit("its file is damaged");
        error.initCause(cause);
        return error;
    }

    static HeadException unfit(String reason) {
        return new HeadException(Code.NOT_TEACHABLE, "the model cannot be taught: " + reason);
    }

    public Code code() {
        return code;
    }
}
