package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;

import android.app.Activity;
import android.content.pm.PackageInfo;
import android.content.pm.PackageManager;
import android.graphics.Color;
import android.util.TypedValue;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ImageView;
import android.widget.TextView;
import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.Locale;
import org.junit.After;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.phone.PhoneTestRunner;

/** What TalkBack says and fingers can hit, in both languages and with large letters. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35, qualifiers = "w320dp-h533dp")
public class AccessibilityTest {
    private static final int TARGET_DP = 48;
    private static final double MIN_CONTRAST = 4.5;

    /** A name, patterns without words, and words that are German too. */
    private static final java.util.List<String> SAME = Arrays.asList(
            "app_name", "summary", "entry", "ok", "threads",
            "lab_time", "lab_xnnpack", "lab_plain", "lab_row", "video_at", "video_span");

    private ActivityController<? extends Activity> controller;

    @After
    public void close() {
        if (controller != null) {
            controller.close();
        }
        Screens.engine().close();
    }

    private void open(Class<? extends Activity> type) throws Exception {
        Screens.useModel("colours_int8.tflite");
        controller = Robolectric.buildActivity(type).setup();
        Screens.engine().photos().classify(Screens.offer("red.jpg", Screens.photo(Screens.RED)));
        Screens.settle();
        checkAll();
    }

    private void checkAll() {
        View decor = controller.get().getWindow().getDecorView();
        decor.measure(View.MeasureSpec.makeMeasureSpec(decor.getWidth(), View.MeasureSpec.EXACTLY),
                View.MeasureSpec.makeMeasureSpec(decor.getHeight(), View.MeasureSpec.EXACTLY));
        decor.layout(0, 0, decor.getWidth(), decor.getHeight());
        check(decor);
    }

    private void check(View view) {
        if (view.getVisibility() != View.VISIBLE) {
            return;
        }
        String name = view.getClass().getSimpleName() + " " + view.getContentDescription();
        float density = view.getResources().getDisplayMetrics().density;
        if (view.isClickable() && view.getWidth() > 0) {
            assertTrue(name + " is " + view.getHeight() / density + " dp high",
                    view.getHeight() >= TARGET_DP * density);
            assertTrue(name + " says nothing", view.getContentDescription() != null
                    || view instanceof ViewGroup
                    || view instanceof TextView && (((TextView) view).length() > 0
                            || ((TextView) view).getHint() != null));
        }
        if (view instanceof ImageView) {
            assertNotNull(name, view.getContentDescription());
        }
        if (view instanceof TextView) {
            TextView text = (TextView) view;
            int room = text.getHeight() - text.getCompoundPaddingTop() - text.getCompoundPaddingBottom();
            assertTrue("'" + text.getText() + "' is cut off", text.getLayout() == null
                    || text.getLayout().getHeight() <= room + 1);
        }
        if (view instanceof ViewGroup) {
            for (int i = 0; i < ((ViewGroup) view).getChildCount(); i++) {
                check(((ViewGroup) view).getChildAt(i));
            }
        }
    }

    @Test
    public void mainScreen() throws Exception {
        open(MainActivity.class);
        assertTrue(Screens.text(controller.get(), R.id.summary).matches("red, [0-9.]+%"));
        Screens.engine().store().updatePhoto(photo -> photo.with(ScreenshotTest.result()));
        View row = ((ViewGroup) controller.get().findViewById(R.id.rows)).getChildAt(0);
        assertEquals("green, 9.4%", row.getContentDescription().toString());
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE,
                controller.get().findViewById(R.id.summary).getAccessibilityLiveRegion());
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE,
                controller.get().findViewById(R.id.error).getAccessibilityLiveRegion());
    }

    @Test
    @Config(fontScale = 2f, qualifiers = "de-w320dp-h533dp")
    public void mainScreenInGermanWithLargeLetters() throws Exception {
        open(MainActivity.class);
        assertEquals("Foto auswählen", Screens.text(controller.get(), R.id.choose));
        assertTrue(Screens.text(controller.get(), R.id.summary).contains("red, "));
    }

    @Test
    @Config(fontScale = 2f)
    public void modelsScreenWithLargeLetters() throws Exception {
        open(ModelsActivity.class);
    }

    @Test
    @Config(fontScale = 2f, qualifiers = "de-w320dp-h533dp")
    public void teachScreenWithLargeLetters() throws Exception {
        Screens.useModel("colours_int8.tflite");
        Screens.teach("Annas Lieblingstasse", Screens.RED, 0xffc83214);
        Screens.teach("Rasen", Screens.GREEN);
        open(TeachActivity.class);
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE,
                controller.get().findViewById(R.id.last).getAccessibilityLiveRegion());
    }

    @Test
    @Config(fontScale = 2f, qualifiers = "de-w320dp-h533dp")
    public void laboratoryInGermanWithLargeLetters() throws Exception {
        Screens.useModel("colours_float.tflite");
        ModelEntry other = Screens.engine().state().models().current().entry();
        Screens.useModel("colours_int8.tflite");
        Screens.engine().lab().setSecond(other);
        Screens.engine().lab().measure();
        Screens.settle();
        open(LabActivity.class);
        assertTrue(Screens.shown(controller.get(), R.id.agreement));
        View row = ((ViewGroup) controller.get().findViewById(R.id.sheet)).getChildAt(1);
        assertTrue(row.getContentDescription().toString().matches(
                "Threads: 1, XNNPACK, [0-9.]+,[0-9] ms[.] 90 % der .*"));
    }

    @Test
    @Config(fontScale = 2f, qualifiers = "de-w320dp-h533dp")
    public void videoInGermanWithLargeLetters() throws Exception {
        Screens.useModel("colours_int8.tflite");
        Screens.engine().video().classify(
                Videos.offer("Urlaub.mp4", Screens.RED, Screens.RED, 0, Screens.BLUE));
        open(VideoActivity.class);
        View timeline = controller.get().findViewById(R.id.timeline);
        assertEquals("Zeitleiste der Antworten. Ziehen, um die Bilder zu sehen.",
                timeline.getContentDescription().toString());
        assertTrue(timeline.getStateDescription().toString().matches("0:00,0: red, [0-9,]+.%"));
        assertTrue(timeline.getHeight() >= TARGET_DP);
        ViewGroup segments = controller.get().findViewById(R.id.segments);
        assertEquals(2, segments.getChildCount());
        assertTrue(segments.getChildAt(1).getContentDescription().toString()
                .matches("0:00,3–0:00,4: blue, [0-9,]+.%"));
        android.view.accessibility.AccessibilityNodeInfo node = timeline.createAccessibilityNodeInfo();
        assertTrue(node.getActionList().contains(android.view.accessibility.AccessibilityNodeInfo
                .AccessibilityAction.ACTION_SET_PROGRESS));
        assertEquals("from left to right in every language", View.LAYOUT_DIRECTION_LTR,
                controller.get().findViewById(R.id.axis).getLayoutDirection());
    }

    /** Bars are told apart from the card, as graphics must be: 3:1. */
    @Test
    @Config(sdk = {24, 35}, qualifiers = "notnight")
    public void barsCanBeSeenByDay() {
        checkBars();
    }

    @Test
    @Config(sdk = {24, 35}, qualifiers = "night")
    public void barsCanBeSeenByNight() {
        checkBars();
    }

    private static void checkBars() {
        int card = RuntimeEnvironment.getApplication().getColor(R.color.card);
        for (int i = 0; i <= VideoActivity.COLORS.length; i++) {
            int color = i < VideoActivity.COLORS.length ? VideoActivity.COLORS[i] : VideoActivity.OTHER;
            double contrast = contrast(color, card);
            assertTrue(Integer.toHexString(color) + ": " + contrast, contrast >= 3);
        }
    }

    @Test
    public void mainScreenThatWasTaught() throws Exception {
        Screens.useModel("colours_int8.tflite");
        Screens.teach("mug", Screens.RED, 0xffc83214);
        Screens.teach("lawn", Screens.GREEN, 0xff18a830);
        open(MainActivity.class);
        assertTrue(Screens.text(controller.get(), R.id.summary).matches("mug, [0-9.]+%"));
    }

    @Test
    @Config(fontScale = 2f, qualifiers = "de-w320dp-h533dp")
    public void formerAnswersInGermanWithLargeLetters() throws Exception {
        Screens.useModel("colours_int8.tflite");
        Screens.engine().photos().classify(Screens.offer("blue.jpg", Screens.photo(Screens.BLUE)));
        Screens.settle();
        AppState.Answer blue = Screens.engine().state().history().answers().get(0);
        open(HistoryActivity.class);
        Screens.engine().photos().history().remove(blue);
        checkAll();
        assertEquals("Rückgängig", Screens.text(controller.get(), R.id.undo));
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE,
                controller.get().findViewById(R.id.removed).getAccessibilityLiveRegion());
        View remove = controller.get().findViewById(R.id.former_remove);
        assertTrue(remove.getContentDescription().toString().matches("Entfernen: red, .*"));
    }

    /** The answer stands on the photo, on a scrim that is dark by day and by night. */
    @Test
    @Config(qualifiers = "notnight")
    public void theAnswerOnThePhotoCanBeReadOnAnyPhoto() throws Exception {
        open(MainActivity.class);
        TextView answer = controller.get().findViewById(R.id.summary);
        int scrim = ((android.graphics.drawable.ColorDrawable)
                controller.get().findViewById(R.id.hero).getBackground()).getColor();
        double share = Color.alpha(scrim) / 255.0;
        int brightest = Color.rgb((int) (255 * (1 - share) + Color.red(scrim) * share),
                (int) (255 * (1 - share) + Color.green(scrim) * share),
                (int) (255 * (1 - share) + Color.blue(scrim) * share));
        double contrast = (Color.luminance(answer.getCurrentTextColor()) + 0.05)
                / (Color.luminance(brightest) + 0.05);
        assertTrue("on white: " + contrast, contrast >= MIN_CONTRAST);
    }

    /** Two columns, German words, in the height of a phone on its side and on a tablet. */
    @Test
    @Config(qualifiers = "de-w640dp-h320dp-land")
    public void screensOfTwoColumns() throws Exception {
        Screens.useModel("colours_int8.tflite");
        Screens.teach("Annas Lieblingstasse", Screens.RED, 0xffc83214);
        Screens.teach("Rasen", Screens.GREEN);
        for (String window : new String[] {"+w640dp-h320dp-land", "+w1280dp-h800dp-land"}) {
            RuntimeEnvironment.setQualifiers(window);
            for (Class<? extends Activity> screen : Arrays.asList(ModelsActivity.class, LabActivity.class,
                    TeachActivity.class, HistoryActivity.class)) {
                open(screen);
                controller.close();
            }
        }
    }

    @Test
    public void everyTextIsThereInBothLanguages() throws Exception {
        android.content.res.Configuration german = new android.content.res.Configuration();
        german.setLocale(Locale.GERMAN);
        android.content.res.Configuration english = new android.content.res.Configuration();
        english.setLocale(Locale.ENGLISH);
        android.content.Context app = RuntimeEnvironment.getApplication();
        java.util.Set<String> same = new java.util.TreeSet<>();
        for (Field field : R.string.class.getFields()) {
            String there = app.createConfigurationContext(german).getString(field.getInt(null));
            String here = app.createConfigurationContext(english).getString(field.getInt(null));
            assertEquals(field.getName(), placeholders(here), placeholders(there));
            if (here.equals(there)) {
                same.add(field.getName());
            }
        }
        assertEquals(new java.util.TreeSet<>(SAME), same);
    }

    private static String placeholders(String text) {
        Object[] found = java.util.regex.Pattern.compile("%[0-9]\\$[a-z]").matcher(text).results()
                .map(java.util.regex.MatchResult::group).sorted().toArray();
        return Arrays.toString(found);
    }

    /** The contrast of two colors by WCAG 2, 1 to 21. */
    private static double contrast(int one, int other) {
        double first = Color.luminance(one);
        double second = Color.luminance(other);
        return (Math.max(first, second) + 0.05) / (Math.min(first, second) + 0.05);
    }

    /** Colors of texts and of what they stand on, the wallpaper's on Android 12 and newer. */
    static void checkContrasts() {
        int[][] pairs = {{R.color.text, R.color.page}, {R.color.text, R.color.card},
            {R.color.text, R.color.button}, {R.color.text_quiet, R.color.page},
            {R.color.text_quiet, R.color.card}, {R.color.text_quiet, R.color.frame},
            {R.color.accent, R.color.page}, {R.color.on_brand, R.color.brand},
            {R.color.error_text, R.color.error}};
        android.content.Context app = RuntimeEnvironment.getApplication();
        for (int[] pair : pairs) {
            double contrast = contrast(app.getColor(pair[0]), app.getColor(pair[1]));
            assertTrue(app.getResources().getResourceEntryName(pair[0]) + " on "
                    + app.getResources().getResourceEntryName(pair[1]) + ": " + contrast,
                    contrast >= MIN_CONTRAST);
        }
    }

    @Test
    @Config(sdk = {24, 35}, qualifiers = "notnight")
    public void textsCanBeReadByDay() {
        checkContrasts();
    }

    @Test
    @Config(sdk = {24, 35}, qualifiers = "night")
    public void textsCanBeReadByNight() {
        checkContrasts();
    }

    private boolean lightNavigationBar() {
        controller = Robolectric.buildActivity(MainActivity.class).setup();
        TypedValue value = new TypedValue();
        assertTrue(controller.get().getTheme().resolveAttribute(
                android.R.attr.windowLightNavigationBar, value, true));
        return value.data != 0;
    }

    @Test
    @Config(qualifiers = "notnight")
    public void theSystemsButtonsAreDarkByDay() {
        assertTrue(lightNavigationBar());
    }

    @Test
    @Config(qualifiers = "night")
    public void theSystemsButtonsAreLightByNight() {
        assertFalse(lightNavigationBar());
    }

    @Test
    public void onlyTheCameraPermissionIsDeclared() throws Exception {
        PackageInfo info = RuntimeEnvironment.getApplication().getPackageManager().getPackageInfo(
                "org.sqzkit.demo", PackageManager.GET_PERMISSIONS);
        assertEquals(Arrays.asList("android.permission.CAMERA"), Arrays.asList(info.requestedPermissions));
    }
}
