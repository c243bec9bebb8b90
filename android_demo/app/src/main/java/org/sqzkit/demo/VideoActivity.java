package org.sqzkit.demo;

import android.content.Intent;
import android.content.res.ColorStateList;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.os.Build;
import android.os.Bundle;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ImageView;
import android.widget.LinearLayout;
import android.widget.ProgressBar;
import android.widget.SeekBar;
import android.widget.TextView;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.sqzkit.demo.ui.Formats;
import org.sqzkit.demo.ui.ResultRows;
import org.sqzkit.demo.ui.Timeline;

/** A video on a timeline: what the model finds in its frames. */
public final class VideoActivity extends StateScreen implements SeekBar.OnSeekBarChangeListener {
    /** For the answers in the order in which they first appear; each stands out by day and by night. */
    static final int[] COLORS = {
        0xff2e7dd1, 0xffc75b12, 0xff2f8f4e, 0xffc25bb0, 0xff8a7a00, 0xffd1495b, 0xff008b9a, 0xff8272d8};
    /** All others. */
    static final int OTHER = 0xff808080;
    /** A picture of more could need more memory than there is. */
    private static final int MAX_SHARED = 20;
    private static final int SECOND = 1000;

    private ProgressCard progress;
    private Timeline timeline;
    private List<VideoFrame> shown;
    private VideoFrame selected;

    /** Made by the system. */
    public VideoActivity() {
        super(R.layout.video);
    }

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        progress = new ProgressCard(this, engine.video()::cancel);
        PhotoPicker picker = new PhotoPicker(this, engine, null);
        ((TextView) findViewById(R.id.hint)).setText(
                getString(R.string.video_hint, VideoSession.MAX_FRAMES, VideoSession.MAX_MINUTES));
        findViewById(R.id.choose).setOnClickListener(view -> picker.chooseVideo());
        timeline = findViewById(R.id.timeline);
        timeline.setOnSeekBarChangeListener(this);
        findViewById(R.id.share_csv).setOnClickListener(view -> {
            AppState.Video video = engine.state().video();
            share(PhotoProvider.TIMELINE, task -> VideoFrame.csv(video).getBytes(StandardCharsets.UTF_8));
        });
        findViewById(R.id.share_picture).setOnClickListener(view -> share(picture()));
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        if (result == RESULT_OK && data != null && data.getData() != null) {
            engine.video().classify(data.getData());
        }
    }

    /** The timeline with the segments below. */
    Bitmap picture() {
        List<View> parts = new ArrayList<>(Arrays.<View>asList(
                findViewById(R.id.summary), timeline, findViewById(R.id.axis)));
        ViewGroup rows = findViewById(R.id.segments);
        for (int i = 0; i < Math.min(MAX_SHARED, rows.getChildCount()); i++) {
            parts.add(rows.getChildAt(i));
        }
        return picture(getResources().getDimensionPixelSize(R.dimen.page_side), parts.toArray(new View[0]));
    }

    @Override
    void draw() {
        AppState.Video video = engine.state().video();
        drawError(video.error());
        int percent = video.total() == 0 ? -1 : 100 * video.frames().size() / video.total();
        progress.draw(video.running(), R.string.video_running, percent);
        boolean some = !video.frames().isEmpty();
        shown = some ? shown : null;
        show(R.id.result, some);
        show(R.id.details, some);
        show(R.id.share_csv, some && !video.running());
        show(R.id.share_picture, some && !video.running());
        if (some && video.frames() != shown) {
            boolean last = shown == null || timeline.getProgress() == shown.size() - 1;
            shown = video.frames();
            drawTimeline(video);
            if (video.running() && last || timeline.getProgress() >= shown.size()) {
                timeline.setProgress(shown.size() - 1); // until the user goes elsewhere
            }
            drawFrame();
        }
        if (some) {
            drawSummary(video);
        }
    }

    private void drawSummary(AppState.Video video) {
        int read = 0;
        for (VideoFrame frame : video.frames()) {
            read += frame.picture() == null ? 0 : 1;
        }
        String text = getString(R.string.video_summary, video.name(), video.model(),
                video.running() ? video.total() : read,
                Formats.oneDigit(this, (double) video.millis() / video.total() / SECOND));
        TextView summary = findViewById(R.id.summary);
        if (!text.contentEquals(summary.getText())) {
            summary.setText(text); // announced only when it changes
        }
    }

    private void drawTimeline(AppState.Video video) {
        List<String> labels = new ArrayList<>();
        float[] heights = new float[shown.size()];
        int[] colors = new int[shown.size()];
        for (int i = 0; i < heights.length; i++) {
            heights[i] = shown.get(i).probability();
            colors[i] = color(labels, shown.get(i).label());
        }
        timeline.show(video.total(), heights, colors);
        ((TextView) findViewById(R.id.start)).setText(time(0));
        ((TextView) findViewById(R.id.end)).setText(time(video.millis()));
        List<VideoFrame.Segment> segments = VideoFrame.segments(shown);
        LinearLayout rows = findViewById(R.id.segments);
        while (rows.getChildCount() > segments.size()) {
            rows.removeViewAt(segments.size());
        }
        for (int i = 0; i < segments.size(); i++) {
            if (i == rows.getChildCount()) {
                LinearLayout row = new LinearLayout(this, null, 0, R.style.Tap);
                getLayoutInflater().inflate(R.layout.row, row);
                rows.addView(row);
            }
            fill(rows.getChildAt(i), segments.get(i), color(labels, segments.get(i).label()), video);
        }
    }

    private static int color(List<String> labels, String label) {
        if (label == null) {
            return 0;
        }
        if (!labels.contains(label)) {
            labels.add(label);
        }
        int number = labels.indexOf(label);
        return number < COLORS.length ? COLORS[number] : OTHER;
    }

    private void fill(View row, VideoFrame.Segment segment, int color, AppState.Video video) {
        String span = getString(R.string.video_span, time(video.millis() * segment.first() / video.total()),
                time(video.millis() * (segment.last() + 1) / video.total()));
        String percent = Formats.percent(this, segment.probability());
        ((TextView) row.findViewById(R.id.label)).setText(getString(R.string.video_at, span, segment.label()));
        ((TextView) row.findViewById(R.id.percent)).setText(percent);
        ProgressBar bar = row.findViewById(R.id.bar);
        bar.setProgressTintList(ColorStateList.valueOf(color));
        bar.setProgress(Math.round(SECOND * segment.probability()));
        row.setContentDescription(getString(R.string.video_at, span,
                getString(R.string.summary, segment.label(), percent)));
        row.setOnClickListener(view -> timeline.setProgress(segment.first()));
    }

    /** A time in the video; with tenths of a second where the frames are closer than a second. */
    private String time(long millis) {
        AppState.Video video = engine.state().video();
        return Formats.time(this, millis, video.millis() < (long) SECOND * video.total());
    }

    /** Shows the frame at the place that the user chose, and its answer. */
    private void drawFrame() {
        if (shown == null || timeline.getProgress() >= shown.size()) {
            return;
        }
        VideoFrame frame = shown.get(timeline.getProgress());
        if (frame == selected) {
            return;
        }
        selected = frame;
        byte[] picture = frame.picture();
        ((ImageView) findViewById(R.id.photo)).setImageBitmap(
                picture == null ? null : BitmapFactory.decodeByteArray(picture, 0, picture.length));
        String answer = picture == null ? getString(R.string.video_unreadable)
                : frame.best().isEmpty() ? frame.label() : Formats.summary(this, frame.best().get(0));
        String text = getString(R.string.video_at, time(frame.millis()), answer);
        ((TextView) findViewById(R.id.at)).setText(text);
        ((ResultRows) findViewById(R.id.rows)).show(frame.best());
        if (Build.VERSION.SDK_INT >= 30) {
            timeline.setStateDescription(text);
        } else {
            timeline.setContentDescription(text);
        }
    }

    @Override
    public void onProgressChanged(SeekBar bar, int place, boolean byUser) {
        if (shown != null && place >= shown.size()) {
            bar.setProgress(shown.size() - 1); // the frames after it are still to come
        }
        drawFrame();
    }

    @Override
    public void onStartTrackingTouch(SeekBar bar) {
        // The frame is shown as the finger moves.
    }

    @Override
    public void onStopTrackingTouch(SeekBar bar) {
        // The frame is shown as the finger moves.
    }
}
