package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.app.Activity;
import android.content.ClipData;
import android.content.ComponentName;
import android.content.Intent;
import android.content.IntentFilter;
import android.content.SharedPreferences;
import android.net.Uri;
import android.os.Bundle;
import android.view.View;
import android.view.ViewGroup;
import android.widget.TextView;
import java.io.File;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.shadows.ShadowAlertDialog;
import org.robolectric.shadows.ShadowPackageManager;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

/** Moments at which things change or end under the app: processes, windows, files, stored state, taps. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class HostileMomentsTest {
    private static final List<Class<? extends Activity>> SCREENS = Arrays.asList(MainActivity.class,
            ModelsActivity.class, TeachActivity.class, LabActivity.class, HistoryActivity.class, VideoActivity.class,
            LiveActivity.class);

    private static final ComponentName CHOOSER = new ComponentName("android", "android.Chooser");

    private ActivityController<? extends Activity> controller;

    @Before
    public void open() throws Exception {
        Screens.useModel("colours_int8.tflite");
        classify(Screens.RED);
    }

    @After
    public void close() {
        if (controller != null) {
            controller.close();
        }
        Screens.engine().close();
    }

    private static AppState state() {
        return Screens.engine().state();
    }

    private static History history() {
        return Screens.engine().photos().history();
    }

    private static void classify(int color) throws Exception {
        Screens.engine().photos().classify(Screens.offer(color + ".jpg", Screens.photo(color)));
        Screens.settle();
    }

    /** The app still does what it is for, with whatever model is in use. */
    private static void assertAlive(String after) throws Exception {
        Screens.settle();
        Screens.useModel("colours_int8.tflite");
        classify(Screens.GREEN);
        assertEquals(after, "green", state().photo().result().best().get(0).label());
        classify(Screens.RED);
    }

    private <T extends Activity> T start(Class<T> type) {
        ActivityController<T> started = Robolectric.buildActivity(type).setup();
        controller = started;
        return started.get();
    }

    private static void endProcess() {
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
    }

    /** The process ends while another app's picker is open; its answer comes to a screen made anew. */
    private <T extends Activity> void answer(Class<T> type, int request, Intent data) throws Exception {
        Bundle saved = new Bundle();
        controller.pause().stop().saveInstanceState(saved).destroy();
        endProcess();
        ActivityController<T> again = Robolectric.buildActivity(type).create(saved).start().restoreInstanceState(saved);
        controller = again;
        java.lang.reflect.Method answered = Activity.class.getDeclaredMethod(
                "onActivityResult", int.class, int.class, Intent.class);
        answered.setAccessible(true);
        answered.invoke(again.get(), request, Activity.RESULT_OK, data);
        again.resume();
        Screens.settle();
    }

    @Test
    public void photosChosenForAClassSurviveTheEndOfTheProcess() throws Exception {
        TeachActivity screen = start(TeachActivity.class);
        ((TextView) screen.findViewById(R.id.name)).setText("mug");
        screen.findViewById(R.id.choose).performClick();
        Intent data = new Intent();
        ClipData clip = ClipData.newRawUri("", Screens.offer("1.jpg", Screens.photo(0xffc83214)));
        clip.addItem(new ClipData.Item(Screens.offer("2.jpg", Screens.photo(0xffb41e28))));
        data.setClipData(clip);
        answer(TeachActivity.class, PhotoPicker.CHOOSE, data);
        do {
            Screens.settle();
        } while (state().teaching().waiting() > 0);
        assertEquals("mug", state().teaching().classes().get(0).label());
        assertEquals(2, state().teaching().classes().get(0).photographs().size());
    }

    @Test
    public void classNamesChosenSurviveTheEndOfTheProcess() throws Exception {
        Screens.useModel("bare_float.tflite");
        start(ModelsActivity.class).findViewById(R.id.add_labels).performClick();
        answer(ModelsActivity.class, ModelsActivity.LABELS,
                new Intent().setData(Screens.offer("names.txt", "x\ny\nz\n".getBytes())));
        assertEquals(Arrays.asList("x", "y", "z"), state().models().current().file().labels());
    }

    /** Answers of pickers that say nothing, or too much. */
    @Test
    public void noAnswerOfAPickerEndsTheApp() throws Exception {
        Map<String, Intent> answers = new LinkedHashMap<>();
        answers.put("nothing", null);
        answers.put("an intent without data", new Intent());
        ClipData clip = ClipData.newPlainText("", "text");
        clip.addItem(new ClipData.Item(new Intent()));
        answers.put("a clip of text and intents", new Intent());
        answers.get("a clip of text and intents").setClipData(clip);
        answers.put("an opaque address", new Intent().setData(Uri.parse("mailto:nobody")));
        for (Class<? extends Activity> type : SCREENS.subList(0, 3)) {
            for (Map.Entry<String, Intent> answer : answers.entrySet()) {
                for (int request = 0; request < 4; request++) {
                    start(type);
                    answer(type, request, answer.getValue());
                    controller.close();
                }
                assertAlive(type.getSimpleName() + ": " + answer.getKey());
            }
        }
        controller = null;
    }

    /** What another version of the app, or a damaged disk, left. */
    @Test
    public void nothingThatIsStoredKeepsTheAppFromStarting() throws Exception {
        String photo = history().shown();
        SharedPreferences.Editor stored = Screens.context().getSharedPreferences("history", 0).edit();
        String[] values = {"", "5", "x/y", "/", "99999999999999999999/text", "-/text", "1/2/3"};
        for (int i = 0; i < values.length; i++) {
            stored.putString(photo + "/model" + i, values[i]);
        }
        stored.putInt(photo + "/number", 7).putBoolean("/", true).putString(photo + "/", "1/no%20title").commit();
        File files = Screens.context().getFilesDir();
        assertTrue(new File(files, "models/folder.tflite").mkdirs());
        assertTrue(new File(files, "running/full").mkdirs());
        Files.write(new File(files, "models/empty.tflite").toPath(), new byte[0]);
        Files.write(new File(files, "benchmark.csv").toPath(), new byte[] {(byte) 0xff, ',', '\n', ','});
        Files.write(new File(files, "history/" + photo + ".small").toPath(), new byte[3]);
        endProcess();
        Screens.settle();
        List<String> read = new ArrayList<>();
        state().history().answers().forEach(answer -> read.add(answer.model() + ": " + answer.text()));
        assertTrue(read.toString(), read.remove(0).startsWith("Colours: red"));
        Collections.sort(read); // both at the same time
        assertEquals(Arrays.asList(": no title", "model6: 2/3"), read);
        for (Class<? extends Activity> type : SCREENS) {
            start(type);
            controller.close();
        }
        controller = null;
        assertAlive("all of that");
    }

    /** An update of the app, or a downgrade, may come between saving and restoring a screen. */
    @Test
    public void aScreensStateOfAnotherVersionIsIgnored() throws Exception {
        for (String key : new String[] {"", "indices", "labels", "probabilities", "model", "times"}) {
            start(MainActivity.class);
            Bundle saved = new Bundle();
            controller.pause().stop().saveInstanceState(saved).destroy();
            Bundle result = saved.getBundle("result");
            assertNotNull(result);
            if (key.isEmpty()) {
                result.putLongArray("times", new long[1]);
            } else {
                result.remove(key);
            }
            endProcess();
            controller = Robolectric.buildActivity(MainActivity.class).setup(saved);
            Screens.settle();
            assertNotNull(key, state().photo().bitmap());
            assertAlive("state without " + key);
        }
    }

    /** A photo, a picture of it, and a model that are deleted while the screen still offers them. */
    @Test
    public void whatIsDeletedUnderTheScreenIsToldOrReplaced() throws Exception {
        classify(Screens.BLUE);
        AppState.Answer former = state().history().answers().get(1);
        start(HistoryActivity.class);
        assertTrue(history().thumbnail(former.photo()).delete());
        controller.recreate();
        assertTrue(history().file(former.photo()).delete());
        history().undo();
        history().remove(former);
        history().remove(former);
        history().undo();
        history().undo();
        assertEquals(2, state().history().answers().size());
        Screens.engine().photos().goBack(former.photo());
        Screens.settle();
        assertNotNull(state().photo().error());
        ModelEntry entry = state().models().current().entry();
        assertTrue(new File(Screens.context().getFilesDir(), "models/" + entry.fileName()).delete());
        Screens.engine().models().choose(entry);
        Screens.settle();
        assertNotNull(state().models().failure());
        Screens.engine().lab().measure();
        Screens.engine().models().remove(entry);
        Screens.engine().models().remove(entry);
        assertAlive("a deleted model");
    }

    /** The window, the language, the letters and the colors change, or the screen goes, amid a task. */
    @Test
    public void noChangeOfTheWindowDisturbsATask() throws Exception {
        byte[] model = Resources.model("foreign.tflite");
        Map<String, Runnable> tasks = new LinkedHashMap<>();
        tasks.put("classifying", () -> Screens.engine().photos().classify(
                Screens.offer("blue.jpg", Screens.photo(Screens.BLUE))));
        tasks.put("opening", () -> Screens.engine().models().open(
                Screens.offer("f.tflite", model)));
        tasks.put("teaching", () -> Screens.engine().teaching().add("mug", Collections.singletonList(
                Screens.offer("red.jpg", Screens.photo(Screens.RED)))));
        tasks.put("measuring", () -> Screens.engine().lab().measure());
        tasks.put("clearing", () -> Screens.engine().clearStorage());
        int window = 0;
        String[] windows = {"+de-w891dp-h411dp-land-night", "+ar-w320dp-h480dp-port-notnight", "+en-w1280dp-h800dp"};
        for (Class<? extends Activity> type : SCREENS) {
            for (Map.Entry<String, Runnable> task : tasks.entrySet()) {
                start(type);
                task.getValue().run();
                RuntimeEnvironment.setQualifiers(windows[window++ % windows.length]);
                controller.configurationChange(Screens.context().getResources().getConfiguration());
                controller.pause().stop().destroy();
                Screens.settle();
            }
            assertAlive(type.getSimpleName());
        }
        controller = null;
    }

    /** A device without any other app: every button, every dialog, on every screen but the live view. */
    @Test
    public void noButtonEndsTheAppOnADeviceWithoutOtherApps() throws Exception {
        shadowOf(RuntimeEnvironment.getApplication()).checkActivities(true);
        IntentFilter chooser = new IntentFilter(Intent.ACTION_CHOOSER); // the system itself
        chooser.addCategory(Intent.CATEGORY_DEFAULT);
        ShadowPackageManager packages = shadowOf(Screens.context().getPackageManager());
        packages.addActivityIfNotPresent(CHOOSER);
        packages.addIntentFilterForActivity(CHOOSER, chooser);
        Screens.teach("mug", Screens.RED, 0xffc83214);
        for (Class<? extends Activity> type : SCREENS.subList(0, SCREENS.size() - 1)) {
            Activity screen = start(type);
            Screens.settle();
            for (View button : buttons(screen.findViewById(android.R.id.content), new ArrayList<>())) {
                if (button.isShown() && !LAUNCHES.contains(button.getId())) {
                    button.performClick();
                    button.performClick(); // two fingers, or an impatient one
                    dismiss();
                    Screens.settle();
                }
            }
            controller.close();
            assertAlive(type.getSimpleName());
        }
        controller = null;
    }

    /** Buttons that open this app's own screens, which Robolectric does not know as installed. */
    private static final List<Integer> LAUNCHES = Arrays.asList(R.id.live, R.id.teach, R.id.history, R.id.models,
            R.id.lab, R.id.class_live, R.id.video);

    private static List<View> buttons(View view, List<View> found) {
        if (view.isClickable()) {
            found.add(view);
        }
        for (int i = 0; view instanceof ViewGroup && i < ((ViewGroup) view).getChildCount(); i++) {
            buttons(((ViewGroup) view).getChildAt(i), found);
        }
        return found;
    }

    private static void dismiss() {
        if (ShadowAlertDialog.getLatestAlertDialog() != null) {
            ShadowAlertDialog.getLatestAlertDialog().dismiss();
        }
    }

    /** Two windows of the app beside each other, each with a question open. */
    @Test
    public void twoWindowsOfTheAppDoNotDisturbEachOther() throws Exception {
        Intent model = new Intent(Intent.ACTION_VIEW).setDataAndType(
                Screens.offer("f.tflite", Resources.model("foreign.tflite")), "application/octet-stream");
        ActivityController<MainActivity> left = Robolectric.buildActivity(MainActivity.class, model).setup();
        ActivityController<MainActivity> right = Robolectric.buildActivity(MainActivity.class, model).setup();
        left.newIntent(model);
        right.recreate();
        left.close();
        Screens.settle();
        assertEquals("Colours", state().models().current().title());
        assertFalse(right.get().isFinishing());
        right.close();
        assertAlive("two windows");
    }

    /** Names that no key of a phone types, and clocks that were never set. */
    @Test
    public void noNameOrTimeEndsTheApp() throws Exception {
        for (String name : new String[] {"\u0000", "\ud83d", "\u202e", " ", "n".repeat(1_000_000), "a/b", "../x"}) {
            TeachActivity screen = start(TeachActivity.class);
            ((TextView) screen.findViewById(R.id.name)).setText(name);
            screen.findViewById(R.id.choose).performClick();
            Screens.engine().teaching().add(name, Collections.singletonList(
                    Screens.offer("red.jpg", Screens.photo(Screens.RED))));
            Screens.settle();
            controller.recreate();
            controller.close();
        }
        for (long time : new long[] {Long.MIN_VALUE, -1, 0, Long.MAX_VALUE}) {
            history().add("clock " + time, "text", time);
        }
        start(HistoryActivity.class);
        endProcess();
        Screens.settle();
        assertTrue(state().history().answers().size() >= 3);
        assertAlive("odd names and times");
        assertNull(state().photo().error());
    }
}
