package org.sqzkit.apk;

/** A build step failed for a reason the caller can mend; the message says which and how. */
final class BuildException extends Exception {
    private static final long serialVersionUID = 1;

    BuildException(String message) {
        super(message);
    }

    BuildException(String message, Throwable cause) {
        super(message, cause);
    }
}
