package org.sqzkit.sqz;

/** Told how far decoding has come; may stop it by throwing. */
public interface Progress {
    /**
     * Called after each output channel of a tensor, and at the end.
     *
     * @param done bytes of the model decoded so far
     * @param total bytes of the model
     * @throws SqzException to stop decoding, with {@link SqzException.Code#STOPPED}
     */
    void at(long done, long total) throws SqzException;
}
