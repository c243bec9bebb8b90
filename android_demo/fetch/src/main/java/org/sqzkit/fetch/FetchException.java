package org.sqzkit.fetch;

import java.io.IOException;

/** A server does not answer as it should, or what it sent is not taken. */
public final class FetchException extends IOException {
    private static final long serialVersionUID = 1;

    private final Code code;

    /** Why, for apps that tell it in their own words. */
    public enum Code {
        /** The server cannot be reached, stopped, or has no such file; trying again may help. */
        NETWORK,
        /** The index or a file is damaged, or another one than the index says. */
        DAMAGED,
        /** The index or a file is not signed with the key that was given. */
        SIGNATURE,
        /** The index is of a newer version than this library. */
        NEWER_VERSION,
        /** A newer release was seen before. */
        ROLLED_BACK,
        /** The index is past its last day. */
        EXPIRED,
        /** No archive leads from the file to the newest release. */
        NO_WAY,
    }

    FetchException(Code code, String message) {
        super(message);
        this.code = code;
    }

    public Code code() {
        return code;
    }
}
