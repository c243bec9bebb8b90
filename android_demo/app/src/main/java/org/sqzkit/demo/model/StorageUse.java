package org.sqzkit.demo.model;

/** What the app keeps on the phone. */
public final class StorageUse {
    /** Nothing is kept. */
    public static final StorageUse NONE = new StorageUse(0, 0, 0);

    /** How many models the user opened. */
    public final int models;
    /** Their size. */
    public final long modelBytes;
    /** Size of the expanded copies of archives, which can be made again. */
    public final long copyBytes;

    public StorageUse(int models, long modelBytes, long copyBytes) {
        this.models = models;
        this.modelBytes = modelBytes;
        this.copyBytes = copyBytes;
    }
}
