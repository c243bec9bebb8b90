package org.sqzkit.demo.model;

/**
 * What the app keeps on the phone.
 *
 * @param models how many models the user opened
 * @param modelBytes their size
 * @param copyBytes size of the expanded copies of archives, which can be made again
 */
public record StorageUse(int models, long modelBytes, long copyBytes) {
    /** Nothing is kept. */
    public static final StorageUse NONE = new StorageUse(0, 0, 0);
}
