package org.sqzkit.demo.model;

import java.nio.ByteBuffer;

/**
 * A model ready to run.
 *
 * @param content the .tflite in direct memory
 * @param sha256 of the .tflite
 */
public record LoadedModel(ModelEntry entry, ModelFile file, ByteBuffer content, String sha256) {

    /** Returns the name in its metadata, or the file's without its ending. */
    public String title() {
        return file.name().isEmpty()
                ? entry.fileName().replaceAll("\\.(tflite|sqz)$", "").replace('_', ' ') : file.name();
    }

    /** Size of the .tflite. */
    public long modelBytes() {
        return content.capacity();
    }
}
