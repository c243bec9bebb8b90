package org.sqzkit.demo;

import android.app.Activity;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ImageButton;
import android.widget.ImageView;
import android.widget.LinearLayout;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.sqzkit.demo.model.LoadedModel;

/** Pictures that came with the app, those that the model in use has a class for. */
final class SampleStrip {
    private static final String FOLDER = "samples";

    private final Activity screen;
    private final Engine engine;
    private LoadedModel shown;

    SampleStrip(Activity screen, Engine engine) {
        this.screen = screen;
        this.engine = engine;
    }

    /** Shows the samples for a model; a sample's file is named as its class. */
    void draw(LoadedModel model) {
        if (model == shown || model == null) {
            return;
        }
        shown = model;
        LinearLayout strip = screen.findViewById(R.id.samples);
        strip.removeAllViews();
        for (String name : fitting(model)) {
            strip.addView(button(name));
        }
        screen.findViewById(R.id.samples_title)
                .setVisibility(strip.getChildCount() == 0 ? View.GONE : View.VISIBLE);
    }

    private List<String> fitting(LoadedModel model) {
        List<String> names = new ArrayList<>();
        try {
            String[] all = screen.getAssets().list(FOLDER);
            Arrays.sort(all);
            for (String name : all) {
                if (hasClass(model, stem(name))) {
                    names.add(name);
                }
            }
        } catch (IOException e) {
            throw new IllegalStateException("the app's own samples cannot be listed", e);
        }
        return names;
    }

    private static boolean hasClass(LoadedModel model, String name) {
        for (String label : model.file().labels()) {
            // ImageNet's labels list several names for a class, divided by commas.
            if (label.equals(name) || label.startsWith(name + ",")) {
                return true;
            }
        }
        return false;
    }

    private static String stem(String file) {
        return file.substring(0, file.lastIndexOf('.'));
    }

    private View button(String name) {
        String path = FOLDER + "/" + name;
        int side = screen.getResources().getDimensionPixelSize(R.dimen.sample_side);
        ImageButton button = new ImageButton(screen);
        button.setImageBitmap(load(path));
        button.setScaleType(ImageView.ScaleType.CENTER_CROP);
        button.setBackgroundResource(R.drawable.card);
        button.setClipToOutline(true);
        button.setPadding(0, 0, 0, 0);
        button.setContentDescription(screen.getString(R.string.sample_description, stem(name)));
        button.setOnClickListener(view -> engine.photos().classifyAsset(path));
        ViewGroup.MarginLayoutParams size = new LinearLayout.LayoutParams(side, side);
        size.setMarginEnd(side / 9);
        button.setLayoutParams(size);
        return button;
    }

    private Bitmap load(String path) {
        try (InputStream in = screen.getAssets().open(path)) {
            return BitmapFactory.decodeStream(in);
        } catch (IOException e) {
            throw new IllegalStateException(path, e);
        }
    }
}
