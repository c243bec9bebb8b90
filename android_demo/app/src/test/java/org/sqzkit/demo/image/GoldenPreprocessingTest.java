package org.sqzkit.demo.image;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertTrue;

import android.graphics.Bitmap;
import android.os.Build;
import java.nio.file.Files;
import java.nio.file.Path;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

/** The vectors of docs/preprocessing.md, the same that Python is held to. */
@RunWith(PhoneTestRunner.class)
public class GoldenPreprocessingTest {
    private static final int JPEG_TOLERANCE = 3;
    /** What Java's reader, which Robolectric has for versions before 26, reads as Android's does. */
    private static final String READ_ON_24 = "orientation_[1-8].jpg|colour.bmp|palette.png|grey.png";
    private static final Path FOLDER = Resources.golden("preprocessing");

    @Test
    public void pixelsGiveExactlyTheExpectedSquare() throws Exception {
        int cases = 0;
        for (JSONObject entry : cases("pixels")) {
            byte[] stored = Files.readAllBytes(FOLDER.resolve(entry.getString("input")));
            Bitmap bitmap = bitmap(stored, entry.getInt("width"), entry.getInt("height"),
                    entry.getInt("channels"));
            Bitmap upright =
                    Orientation.upright(PhotoLoader.opaque(bitmap), entry.getInt("orientation"));
            byte[] square = new Resizer(geometry(entry)).resizeAndCrop(new BitmapPixels(upright));
            assertArrayEquals(entry.getString("name"), expected(entry), square);
            cases++;
        }
        assertTrue("only " + cases + " cases", cases >= 20);
    }

    @Test
    public void filesGiveTheExpectedSquare() throws Exception {
        int cases = 0;
        for (JSONObject entry : cases("file")) {
            if (Build.VERSION.SDK_INT > 24 || entry.getString("input").matches(READ_ON_24)) {
                checkFile(entry);
                cases++;
            }
        }
        assertTrue("only " + cases + " cases", cases >= (Build.VERSION.SDK_INT > 24 ? 15 : 11));
    }

    private static void checkFile(JSONObject entry) throws Exception {
        Bitmap photo = PhotoLoader.load(FOLDER.resolve(entry.getString("input")).toFile());
        byte[] square = new Resizer(geometry(entry)).resizeAndCrop(new BitmapPixels(photo));
        int most = entry.getBoolean("exact") ? 0 : JPEG_TOLERANCE;
        int difference = difference(square, expected(entry));
        assertTrue(entry.getString("name") + " differs by " + difference, difference <= most);
    }

    private static Iterable<JSONObject> cases(String kind) throws Exception {
        JSONObject index = new JSONObject(Files.readString(FOLDER.resolve("index.json")));
        JSONArray all = index.getJSONArray("cases");
        java.util.List<JSONObject> found = new java.util.ArrayList<>();
        for (int i = 0; i < all.length(); i++) {
            if (all.getJSONObject(i).getString("kind").equals(kind)) {
                found.add(all.getJSONObject(i));
            }
        }
        return found;
    }

    private static Geometry geometry(JSONObject entry) throws Exception {
        int image = entry.getInt("image_size");
        int resize = entry.getInt("resize_size");
        return new Geometry(entry.getString("resize").equals("squash"), resize, resize, image, image);
    }

    private static byte[] expected(JSONObject entry) throws Exception {
        return Files.readAllBytes(FOLDER.resolve(entry.getString("expected")));
    }

    private static Bitmap bitmap(byte[] stored, int width, int height, int channels) {
        int[] colors = new int[width * height];
        for (int i = 0, at = 0; i < colors.length; i++, at += channels) {
            int alpha = channels == 4 ? stored[at + 3] & 255 : 255;
            colors[i] = alpha << 24 | (stored[at] & 255) << 16 | (stored[at + 1] & 255) << 8
                    | stored[at + 2] & 255;
        }
        Bitmap bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888);
        bitmap.setHasAlpha(channels == 4);
        bitmap.setPremultiplied(false);
        bitmap.setPixels(colors, 0, width, 0, 0, width, height);
        return bitmap;
    }

    private static int difference(byte[] a, byte[] b) {
        int most = a.length == b.length ? 0 : 256;
        for (int i = 0; i < Math.min(a.length, b.length); i++) {
            most = Math.max(most, Math.abs((a[i] & 255) - (b[i] & 255)));
        }
        return most;
    }
}
