package org.sqzkit.demo.model;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;
import org.sqzkit.demo.image.Geometry;
import org.sqzkit.teach.Attachments;
import org.sqzkit.teach.Flat;

/**
 * Standard TFLite Metadata, and sqzkit's preprocessing record beside it.
 *
 * @param labels class names in class order; empty where the file has none
 * @param normalization null where the file does not say
 * @param geometry null where the file does not carry our record
 */
record ModelMetadata(String name, String description, String version, String author,
        String licence, List<String> labels, Normalization normalization, Geometry geometry) {

    /** The name of the metadata buffer, and the identifier of what is in it. */
    static final String ENTRY = "TFLITE_METADATA";

    static final ModelMetadata NONE =
            new ModelMetadata("", "", "", "", "", Collections.emptyList(), null, null);

    private static final String IDENTIFIER = "M001";
    private static final String RECORD = "preprocessing.json";
    private static final int NORMALIZATION_OPTIONS = 1;
    private static final int MAX_SIDE = 4096;
    private static final int MAX_CLASSES = 1_000_000;
    private static final int MAX_TEXT_LENGTH = 2000;
    private static final int MAX_LABEL_LENGTH = 200;
    /** Our record has three brackets and some hundred bytes. */
    private static final int MAX_RECORD_BYTES = 1 << 16;
    private static final int MAX_RECORD_BRACKETS = 64;

    static ModelMetadata read(ByteBuffer entry, Map<String, byte[]> files) throws AppError {
        if (!Flat.isOfKind(entry, IDENTIFIER)) {
            throw new AppError(R.string.error_not_a_model);
        }
        Flat metadata = new Flat(entry);
        int root = metadata.root();
        JSONObject record = files.containsKey(RECORD) ? json(files.get(RECORD)) : null;
        return new ModelMetadata(text(metadata, 0), text(metadata, 1), text(metadata, 2), text(metadata, 4),
                text(metadata, 5), labels(Attachments.labels(metadata), files),
                record != null ? normalization(record) : normalization(metadata, root),
                record == null ? null : geometry(record));
    }

    /** Returns what the first input's process units say. */
    private static Normalization normalization(Flat metadata, int root) throws AppError {
        int[] graphs = metadata.tables(root, 3);
        int[] inputs = graphs.length == 0 ? graphs : metadata.tables(graphs[0], 2);
        for (int unit : inputs.length == 0 ? inputs : metadata.tables(inputs[0], 4)) {
            int options = metadata.target(unit, 1);
            if (metadata.number(unit, 0, 1) == NORMALIZATION_OPTIONS && options != 0) {
                return Normalization.dividing(metadata.floats(options, 0), metadata.floats(options, 1));
            }
        }
        return null;
    }

    private static List<String> labels(String name, Map<String, byte[]> files) throws AppError {
        if (name.isEmpty()) {
            return Collections.emptyList();
        }
        if (!files.containsKey(name)) {
            throw new AppError(R.string.error_labels_missing, name);
        }
        return lines(new String(files.get(name), StandardCharsets.UTF_8));
    }

    /** A text for the screen, which a hostile file may have made a megabyte long. */
    private static String text(Flat metadata, int slot) {
        return shortened(metadata.text(metadata.root(), slot), MAX_TEXT_LENGTH);
    }

    private static String shortened(String text, int length) {
        return text.length() <= length ? text : text.substring(0, length) + "\u2026";
    }

    /** Splits a text at line feeds and carriage returns. */
    static List<String> lines(String text) throws AppError {
        List<String> lines = new ArrayList<>();
        int start = 0;
        while (start < text.length()) {
            int end = start;
            while (end < text.length() && text.charAt(end) != '\n' && text.charAt(end) != '\r') {
                end++;
            }
            if (lines.size() == MAX_CLASSES) {
                throw new AppError(R.string.error_model_too_complex);
            }
            lines.add(shortened(text.substring(start, end), MAX_LABEL_LENGTH));
            boolean pair = text.startsWith("\r\n", end);
            start = end + (pair ? 2 : 1);
        }
        return lines;
    }

    private static JSONObject json(byte[] record) throws AppError {
        if (record.length > MAX_RECORD_BYTES || brackets(record) > MAX_RECORD_BRACKETS) {
            throw new AppError(R.string.error_preprocessing);
        }
        try {
            return new JSONObject(new String(record, StandardCharsets.UTF_8));
        } catch (JSONException e) {
            throw new AppError(R.string.error_preprocessing);
        }
    }

    /** Counts opening brackets: Android's JSON parser calls itself for each level of them. */
    private static int brackets(byte[] record) {
        int count = 0;
        for (byte character : record) {
            count += character == '{' || character == '[' ? 1 : 0;
        }
        return count;
    }

    private static Normalization normalization(JSONObject record) throws AppError {
        try {
            if (!record.getString("channel_order").equals("RGB")) {
                throw new AppError(R.string.error_preprocessing);
            }
            return Normalization.multiplying(
                    floats(record.getJSONArray("mean")), floats(record.getJSONArray("scale")));
        } catch (JSONException e) {
            throw new AppError(R.string.error_preprocessing);
        }
    }

    private static float[] floats(JSONArray list) throws JSONException {
        float[] values = new float[list.length()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) list.getDouble(i);
        }
        return values;
    }

    private static Geometry geometry(JSONObject record) throws AppError {
        try {
            int image = record.getInt("image_size");
            int resize = record.getInt("resize_size");
            String rule = record.getString("resize");
            boolean squash = rule.equals("squash");
            if (image < 1 || resize < image || resize > MAX_SIDE
                    || !squash && !rule.equals("shorter_side")) {
                throw new AppError(R.string.error_preprocessing);
            }
            return new Geometry(squash, resize, resize, image, image);
        } catch (JSONException e) {
            throw new AppError(R.string.error_preprocessing);
        }
    }
}
