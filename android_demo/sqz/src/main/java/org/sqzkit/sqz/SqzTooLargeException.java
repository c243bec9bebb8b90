package org.sqzkit.sqz;

/** What an archive holds is larger than the caller's limit, or than the memory there is. */
public final class SqzTooLargeException extends SqzException {
    private static final long serialVersionUID = 1;

    public SqzTooLargeException(String message) {
        super(Code.TOO_LARGE, message);
    }
}
