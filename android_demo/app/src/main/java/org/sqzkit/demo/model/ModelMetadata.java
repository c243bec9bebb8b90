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
import org.sqzkit.demo.R;
import org.sqzkit.demo.Trouble;
import org.sqzkit.demo.image.Geometry;

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
    private static final int AXIS_LABELS = 2;
    private static final int NORMALIZATION_OPTIONS = 1;
    private static final int LARGEST_SIDE = 4096;

    static ModelMetadata read(ByteBuffer entry, Map<String, byte[]> files) throws Trouble {
        FlatTable root = FlatTable.root(entry, IDENTIFIER);
        List<FlatTable> graphs = root.tables(3);
        List<FlatTable> inputs = graphs.isEmpty() ? graphs : graphs.get(0).tables(2);
        List<FlatTable> outputs = graphs.isEmpty() ? graphs : graphs.get(0).tables(3);
        JSONObject record = files.containsKey(RECORD) ? json(files.get(RECORD)) : null;
        return new ModelMetadata(root.text(0), root.text(1), root.text(2), root.text(4), root.text(5),
                outputs.isEmpty() ? Collections.<String>emptyList() : labels(outputs.get(0), files),
                record != null ? normalization(record)
                        : inputs.isEmpty() ? null : normalization(inputs.get(0)),
                record == null ? null : geometry(record));
    }

    private static Normalization normalization(FlatTable input) throws Trouble {
        for (FlatTable unit : input.tables(4)) {
            FlatTable options = unit.table(1);
            if (unit.number(0, 1, 0) == NORMALIZATION_OPTIONS && options != null) {
                return Normalization.dividing(options.floats(0), options.floats(1));
            }
        }
        return null;
    }

    private static List<String> labels(FlatTable output, Map<String, byte[]> files) throws Trouble {
        for (FlatTable file : output.tables(6)) {
            if (file.number(2, 1, 0) == AXIS_LABELS) {
                byte[] text = files.get(file.text(0));
                if (text == null) {
                    throw new Trouble(R.string.trouble_labels_missing, file.text(0));
                }
                return lines(new String(text, StandardCharsets.UTF_8));
            }
        }
        return Collections.emptyList();
    }

    private static List<String> lines(String text) {
        List<String> lines = new ArrayList<>();
        for (String line : text.split("\r\n|\n|\r", -1)) {
            lines.add(line);
        }
        if (lines.get(lines.size() - 1).isEmpty()) {
            lines.remove(lines.size() - 1);
        }
        return lines;
    }

    private static JSONObject json(byte[] record) throws Trouble {
        try {
            return new JSONObject(new String(record, StandardCharsets.UTF_8));
        } catch (JSONException e) {
            throw new Trouble(R.string.trouble_preprocessing);
        }
    }

    private static Normalization normalization(JSONObject record) throws Trouble {
        try {
            if (!record.getString("channel_order").equals("RGB")) {
                throw new Trouble(R.string.trouble_preprocessing);
            }
            return Normalization.multiplying(
                    floats(record.getJSONArray("mean")), floats(record.getJSONArray("scale")));
        } catch (JSONException e) {
            throw new Trouble(R.string.trouble_preprocessing);
        }
    }

    private static float[] floats(JSONArray list) throws JSONException {
        float[] values = new float[list.length()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) list.getDouble(i);
        }
        return values;
    }

    private static Geometry geometry(JSONObject record) throws Trouble {
        try {
            int image = record.getInt("image_size");
            int resize = record.getInt("resize_size");
            String rule = record.getString("resize");
            boolean squash = rule.equals("squash");
            if (image < 1 || resize < image || resize > LARGEST_SIDE
                    || !squash && !rule.equals("shorter_side")) {
                throw new Trouble(R.string.trouble_preprocessing);
            }
            return new Geometry(squash, resize, resize, image, image);
        } catch (JSONException e) {
            throw new Trouble(R.string.trouble_preprocessing);
        }
    }
}
