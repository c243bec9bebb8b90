package org.sqzkit.demo;

import android.app.Activity;
import android.os.Bundle;
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

    @Override
    protected void onStop() {
        engine.store().forget(redraw);
        super.onStop();
    }
}
