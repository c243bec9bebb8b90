package org.sqzkit.demo;

import android.app.Activity;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.os.Bundle;
import android.view.View;
import java.io.ByteArrayOutputStream;
import org.sqzkit.demo.ui.ErrorCard;
import org.sqzkit.demo.ui.SystemBars;

/** A screen that shows the engine's state, and is drawn at each change while it is visible. */
abstract class StateScreen extends Activity {
    private final Runnable redraw = this::draw;
    private final int layout;
    Engine engine;

    StateScreen(int layout) {
        this.layout = layout;
    }

    /** Shows the present state. */
    abstract void draw();

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(layout);
        SystemBars.drawBehind(this);
        engine = DemoApp.engine(this);
    }

    @Override
    protected void onStart() {
        super.onStart();
        engine.store().listen(redraw);
    }

    /** Draws parts of the screen on a card, one below the other, {@code gap} pixels around each. */
    Bitmap picture(int gap, View... parts) {
        int width = 0;
        int height = gap;
        for (View part : parts) {
            width = Math.max(width, part.getWidth());
            height += part.getHeight() + gap;
        }
        Bitmap picture = Bitmap.createBitmap(width + 2 * gap, height, Bitmap.Config.ARGB_8888);
        Canvas canvas = new Canvas(picture);
        canvas.drawColor(getColor(R.color.card));
        canvas.translate(gap, gap);
        for (View part : parts) {
            part.draw(canvas);
            canvas.translate(0, part.getHeight() + gap);
        }
        return picture;
    }

    /** Offers a picture to other apps. */
    void share(Bitmap picture) {
        share(PhotoProvider.PICTURE, task -> {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            picture.compress(Bitmap.CompressFormat.PNG, 100, out);
            return out.toByteArray();
        });
    }

    /** Offers a file to other apps. */
    void share(String name, Sharing.Content content) {
        engine.sharing().put(name, content, () -> PhotoProvider.share(this, name));
    }

    /** Shows why something did not work, or else why a file could not be shared; says whether there is anything. */
    boolean drawError(AppError own) {
        AppError error = own == null ? engine.state().sharing() : own;
        if (error == null) {
            ErrorCard.hide(this);
        } else {
            ErrorCard.show(this, getString(R.string.error_general_title), error.text(this),
                    R.string.ok, engine::dismissError);
        }
        return error != null;
    }

    void show(int id, boolean visible) {
        findViewById(id).setVisibility(visible ? View.VISIBLE : View.GONE);
    }

    @Override
    protected void onStop() {
        engine.store().forget(redraw);
        super.onStop();
    }
}
