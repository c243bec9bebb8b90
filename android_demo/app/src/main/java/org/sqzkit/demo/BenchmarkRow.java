package org.sqzkit.demo;

import android.os.Build;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.sqzkit.demo.model.Benchmark;
import org.sqzkit.demo.model.LoadedModel;
import org.sqzkit.demo.model.RunOptions;
import org.tensorflow.lite.RuntimeVersion;

/**
 * How fast one model runs in one way on this phone; docs/android.md describes the columns as CSV.
 *
 * @param where the first four columns
 * @param times null if the model does not run in this way
 */
record BenchmarkRow(String where, String model, String sha256, long bytes, RunOptions options,
        Benchmark.Times times) {
    static final String HEADER = "device,abi,android,tflite,model,sha256,bytes,threads,xnnpack,"
            + "open_ms,first_ms,p50_ms,p90_ms,runs,memory_bytes";

    private static final int COLUMNS = HEADER.split(",").length;

    static BenchmarkRow of(LoadedModel model, RunOptions options, Benchmark.Times times) {
        String where = clean(Build.MANUFACTURER + " " + Build.MODEL) + "," + Build.SUPPORTED_ABIS[0]
                + "," + Build.VERSION.SDK_INT + "," + clean(RuntimeVersion.get());
        return new BenchmarkRow(where, clean(model.title()), model.sha256(), model.modelBytes(),
                options, times);
    }

    /** Leaves out what separates columns and lines. */
    static String clean(String text) {
        return text.replaceAll("[,\"\\p{Cntrl}\\u2028\\u2029]+", " ").trim();
    }

    /** Returns the sheet as CSV in UTF-8's characters, one line for each row. */
    static String csv(List<BenchmarkRow> rows) {
        StringBuilder out = new StringBuilder(HEADER).append('\n');
        for (BenchmarkRow row : rows) {
            out.append(row.line()).append('\n');
        }
        return out.toString();
    }

    private String line() {
        String way = where + "," + model + "," + sha256 + "," + bytes + "," + options.threads()
                + "," + (options.xnnpack() ? 1 : 0) + ",";
        return times == null ? way + ",,,,0," : way + milliseconds(times.open())
                + "," + milliseconds(times.first()) + "," + milliseconds(times.p50())
                + "," + milliseconds(times.p90()) + "," + times.runs() + "," + times.memory();
    }

    private static String milliseconds(long nanoseconds) {
        return String.format(Locale.ROOT, "%.3f", nanoseconds / 1e6);
    }

    /** Reads what {@link #csv} wrote; nothing if it is damaged. */
    static List<BenchmarkRow> read(String csv) {
        List<BenchmarkRow> rows = new ArrayList<>();
        try {
            String[] lines = csv.split("\n");
            for (int i = lines[0].equals(HEADER) ? 1 : lines.length; i < lines.length; i++) {
                rows.add(row(lines[i].split(",", COLUMNS)));
            }
            return rows;
        } catch (RuntimeException e) {
            return new ArrayList<>(); // it can be measured again
        }
    }

    private static BenchmarkRow row(String[] cells) {
        String where = cells[0] + "," + cells[1] + "," + cells[2] + "," + cells[3];
        int runs = Integer.parseInt(cells[13]);
        Benchmark.Times times = runs == 0 ? null : new Benchmark.Times(nanoseconds(cells[9]),
                nanoseconds(cells[10]), nanoseconds(cells[11]), nanoseconds(cells[12]), runs,
                Long.parseLong(cells[14]));
        return new BenchmarkRow(where, cells[4], cells[5], Long.parseLong(cells[6]),
                new RunOptions(Integer.parseInt(cells[7]), cells[8].equals("1")), times);
    }

    private static long nanoseconds(String milliseconds) {
        return Math.round(Double.parseDouble(milliseconds) * 1e6);
    }
}
