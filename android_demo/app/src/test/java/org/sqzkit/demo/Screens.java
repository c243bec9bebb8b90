package org.sqzkit.demo;

import android.app.Activity;
import android.content.ContentResolver;
import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.net.Uri;
import android.view.View;
import android.widget.TextView;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.shadows.ShadowBitmapFactory;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.phone.Resources;
import org.sqzkit.demo.phone.Idle;

/** What the tests of the screens share: files of other apps, waiting, reading what is shown. */
final class Screens {
    static final int RED = 0xffdc1e14;
    static final int GREEN = 0xff0ac828;
    static final int BLUE = 0xff141ed2;

    private Screens() {}

    static Engine engine() {
        // Before version 26 Robolectric else makes up a picture for bytes that are none.
        ShadowBitmapFactory.setAllowInvalidImageData(false);
        return DemoApp.engine(context());
    }

    static Context context() {
        return RuntimeEnvironment.getApplication();
    }

    static void settle() throws Exception {
        Idle.await(engine()::awaitIdle);
    }

    /** Makes another app offer a file. */
    static Uri offer(String name, byte[] content) {
        Uri uri = Uri.parse("content://other.app/" + name);
        ContentResolver resolver = context().getContentResolver();
        Shadows.shadowOf(resolver).registerInputStreamSupplier(uri, () -> new ByteArrayInputStream(content));
        return uri;
    }

    /** Opens one of the tests' own models, as if it were shared from Files. */
    static void useModel(String name) throws Exception {
        engine().models().open(offer(name, Resources.model(name)));
        settle();
    }

    /** Teaches photographs of one colour each. */
    static void teach(String label, int... colors) throws Exception {
        List<Uri> uris = new ArrayList<>();
        for (int color : colors) {
            uris.add(offer(label + color + ".jpg", photo(color)));
        }
        engine().teaching().add(label, uris);
        do {
            settle();
        } while (engine().state().teaching().waiting() > 0);
    }

    /** The first model that came with the app. */
    static ModelEntry bundled() {
        return engine().state().models().entries().stream().filter(ModelEntry::bundled).findFirst().get();
    }

    /** A JPEG of one colour. */
    static byte[] photo(int color) {
        return photo(color, 96, 64, Bitmap.CompressFormat.JPEG);
    }

    static byte[] photo(int color, int width, int height, Bitmap.CompressFormat format) {
        int[] pixels = new int[width * height];
        Arrays.fill(pixels, color);
        Bitmap bitmap = Bitmap.createBitmap(pixels, width, height, Bitmap.Config.ARGB_8888);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        bitmap.compress(format, 95, out);
        return out.toByteArray();
    }

    static String text(Activity screen, int id) {
        return ((TextView) screen.findViewById(id)).getText().toString();
    }

    static boolean shown(Activity screen, int id) {
        return screen.findViewById(id).getVisibility() == View.VISIBLE;
    }

    /** Draws a screen as it would look. */
    static Bitmap draw(Activity screen) {
        View view = screen.getWindow().getDecorView();
        Bitmap bitmap = Bitmap.createBitmap(view.getWidth(), view.getHeight(), Bitmap.Config.ARGB_8888);
        view.draw(new Canvas(bitmap));
        return bitmap;
    }
}
