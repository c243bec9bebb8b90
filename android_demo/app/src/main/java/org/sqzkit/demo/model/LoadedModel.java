package org.sqzkit.demo.model;

import java.nio.ByteBuffer;

/**
 * A model ready to run.
 *
 * @param content the .tflite in direct memory
 * @param sha256 of the .tflite
 */
public record LoadedModel(ModelEntry entry, ModelFile file, ByteBuffer content, String sha256) {

    /** What to call it: the name in its metadata, else the file's. */
    public String title() {
        return file.name().isEmpty() ? entry.fileName() : file.name();
    }

    /** Size of the .tflite. */
    public long modelBytes() {
        return content.capacity();
    }
}
