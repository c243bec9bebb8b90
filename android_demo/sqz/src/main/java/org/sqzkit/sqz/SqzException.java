package org.sqzkit.sqz;

import java.io.IOException;

/** An archive is damaged, too large, newer than this decoder, or not an archive. */
public class SqzException extends IOException {
    private static final long serialVersionUID = 1;

    private final Code code;

    /** Why an archive was refused, for apps that tell it in their own words. */
    public enum Code {
        /** The content does not begin as an archive does. */
        NOT_AN_ARCHIVE,
        /** A newer version of this library can read the archive. */
        NEWER_VERSION,
        /** The archive holds Caffe weights where a model is asked for. */
        NOT_A_MODEL,
        /** The archive was cut off or changed, or breaks the format's rules. */
        DAMAGED,
        /** The archive is an update, and no base was given to it. */
        NO_BASE,
        /** The archive is an update of another file than the one that was given. */
        WRONG_BASE,
        /** A signed archive is not signed with the key that was given, or is damaged. */
        SIGNATURE,
        /** A signed archive is of an older release than is taken. */
        OLD_RELEASE,
        /** The file is larger than the caller's limit, or than the memory there is. */
        TOO_LARGE,
        /** {@link Progress} stopped the decoding. */
        STOPPED,
    }

    /** Makes an exception for a damaged archive. */
    public SqzException(String message) {
        this(Code.DAMAGED, message);
    }

    public SqzException(Code code, String message) {
        super(message);
        this.code = code;
    }

    public Code code() {
        return code;
    }
}
