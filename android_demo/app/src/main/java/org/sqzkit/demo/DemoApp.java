package org.sqzkit.demo;

import android.app.Application;
import android.content.Context;

/** Holds the one engine of the process. */
public final class DemoApp extends Application {
    private Engine engine;

    /** The engine; made at the first call. */
    static Engine engine(Context context) {
        DemoApp app = (DemoApp) context.getApplicationContext();
        if (app.engine == null) {
            app.engine = new Engine(app);
        }
        return app.engine;
    }

    /** Forgets everything that lives in memory, as the end of the process does. */
    void endProcess() {
        if (engine != null) {
            engine.close();
        }
        engine = null;
    }
}
