package org.sqzkit.demo;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.sqzkit.demo.model.Prediction;

/**
 * One frame of a video and what the model found in it.
 *
 * @param millis its time in the video
 * @param label the first answer as it was shown, or null if the frame could not be decoded
 * @param best the most probable classes, best first; none if the frame shows nothing that was taught
 * @param picture a small JPEG of the frame, or null if it could not be decoded
 */
record VideoFrame(long millis, String label, List<Prediction> best, byte[] picture) {
    private static final String HEADER = "video,model,sha256,time_ms,"
            + "class_1,probability_1,class_2,probability_2,class_3,probability_3";
    private static final int CSV_CLASSES = 3;

    /** Returns a frame that could not be decoded. */
    static VideoFrame unreadable(long millis) {
        return new VideoFrame(millis, null, Collections.emptyList(), null);
    }

    /** Returns how probable the first answer is, 0 if there is none. */
    float probability() {
        return best.isEmpty() ? 0 : best.get(0).probability();
    }

    /**
     * Frames one after the other with the same first answer.
     *
     * @param first, last numbers of frames
     * @param probability the mean of theirs
     */
    record Segment(int first, int last, String label, float probability) {}

    /** Returns the segments of a video; frames that could not be decoded are in none. */
    static List<Segment> segments(List<VideoFrame> frames) {
        List<Segment> segments = new ArrayList<>();
        int first = 0;
        float sum = 0;
        for (int i = 0; i < frames.size(); i++) {
            String label = frames.get(i).label();
            sum += frames.get(i).probability();
            if (i + 1 == frames.size() || !Objects.equals(label, frames.get(i + 1).label())) {
                if (label != null) {
                    segments.add(new Segment(first, i, label, sum / (i + 1 - first)));
                }
                first = i + 1;
                sum = 0;
            }
        }
        return segments;
    }

    /** Returns a video's frames as CSV, a line for each; docs/android.md describes the columns. */
    static String csv(AppState.Video video) {
        StringBuilder out = new StringBuilder(HEADER).append('\n');
        for (VideoFrame frame : video.frames()) {
            out.append(BenchmarkRow.clean(video.name())).append(',')
                    .append(BenchmarkRow.clean(video.model())).append(',').append(video.sha256())
                    .append(',').append(frame.millis);
            for (int i = 0; i < CSV_CLASSES; i++) {
                out.append(frame.cells(i));
            }
            out.append('\n');
        }
        return out.toString();
    }

    private String cells(int number) {
        if (number >= best.size()) {
            return (number == 0 && label != null ? "," + BenchmarkRow.clean(label) : ",") + ",";
        }
        Prediction one = best.get(number);
        String name = number == 0 ? label : one.label() == null ? String.valueOf(one.index()) : one.label();
        return "," + BenchmarkRow.clean(name) + ","
                + String.format(Locale.ROOT, "%.4f", one.probability());
    }
}
