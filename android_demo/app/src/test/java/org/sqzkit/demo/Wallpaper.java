package org.sqzkit.demo;

import android.content.res.AssetManager;
import android.content.res.Resources;
import java.io.Closeable;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.robolectric.res.android.Registries;

/**
 * The palette of another wallpaper: rust instead of the framework's blue.
 *
 * <p>Phones lay such a palette over the framework's resources. Robolectric cannot load an overlay of the
 * framework, so this writes the colors into the table of the framework that Robolectric has in memory; all
 * tests share it, so {@link #close} writes the former ones back.
 */
final class Wallpaper implements Closeable {
    /** Where the color is in a compact entry of the table: behind its key and flags. */
    private static final int VALUE = 4;

    private final Map<Integer, Integer> former = new LinkedHashMap<>();
    private final Object colors;
    private final Class<?> loaded;

    Wallpaper() throws Exception {
        AssetManager system = Resources.getSystem().getAssets();
        Object framework = ((Object[]) call(AssetManager.class, system, "getApkAssets"))[0];
        Field pointer = framework.getClass().getDeclaredField("mNativePtr");
        pointer.setAccessible(true);
        Object assets = Registries.NATIVE_APK_ASSETS_REGISTRY.getNativeObject(pointer.getLong(framework));
        Object table = call(assets.getClass(), assets, "GetLoadedArsc");
        Object loadedFramework = ((List<?>) call(table.getClass(), table, "GetPackages")).get(0);
        loaded = loadedFramework.getClass();
        Object type = call(loaded, loadedFramework, "GetTypeSpecByTypeIndex", (android.R.color.black >> 16 & 255) - 1);
        Field types = type.getClass().getDeclaredField("types");
        types.setAccessible(true);
        colors = ((Object[]) types.get(type))[0];
        int[][] tones = {
            {android.R.color.system_accent1_0, 0xffffffff}, {android.R.color.system_accent1_100, 0xffffdbd1},
            {android.R.color.system_accent1_200, 0xffffb5a0}, {android.R.color.system_accent1_600, 0xff8f4c38},
            {android.R.color.system_accent1_800, 0xff561f0f}, {android.R.color.system_accent2_100, 0xffffdbd1},
            {android.R.color.system_accent2_700, 0xff5d4037}, {android.R.color.system_neutral1_0, 0xffffffff},
            {android.R.color.system_neutral1_50, 0xfffbeeeb}, {android.R.color.system_neutral1_100, 0xffede0dc},
            {android.R.color.system_neutral1_800, 0xff362f2d}, {android.R.color.system_neutral1_900, 0xff201a18},
            {android.R.color.system_neutral2_100, 0xfff5ded8}, {android.R.color.system_neutral2_200, 0xffd8c2bc},
            {android.R.color.system_neutral2_700, 0xff53433f}, {android.R.color.system_neutral2_800, 0xff3b2d29}};
        for (int[] tone : tones) {
            former.put(tone[0], write(tone[0], tone[1]));
        }
    }

    private static Object call(Class<?> type, Object of, String name, Object... arguments) throws Exception {
        for (Method method : type.getDeclaredMethods()) {
            if (method.getName().equals(name) && method.getParameterCount() == arguments.length) {
                method.setAccessible(true);
                return method.invoke(of, arguments);
            }
        }
        throw new NoSuchMethodException(name);
    }

    private int write(int id, int color) throws Exception {
        int offset = (int) call(loaded, null, "GetEntryOffset", colors, id & 0xffff);
        Object entry = call(loaded, null, "GetEntryFromOffset", colors, offset);
        Class<?> place = entry.getClass();
        while (!place.getSimpleName().equals("WithOffset")) {
            place = place.getSuperclass();
        }
        ByteBuffer table = (ByteBuffer) call(place, entry, "myBuf");
        int at = (int) call(place, entry, "myOffset") + VALUE;
        int before = table.getInt(at);
        table.putInt(at, color);
        return before;
    }

    @Override
    public void close() {
        former.forEach((id, color) -> {
            try {
                write(id, color);
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
    }
}
