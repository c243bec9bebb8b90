package org.sqzkit.sqz;

import java.io.IOException;

/** An archive is damaged, too large, newer than this decoder, or no archive at all. */
public class SqzException extends IOException {
    private static final long serialVersionUID = 1;

    public SqzException(String message) {
        super(message);
    }
}
