package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.content.Intent;
import android.graphics.drawable.BitmapDrawable;
import android.view.ViewGroup;
import android.widget.ImageView;
import android.widget.TextView;
import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.shadows.ShadowSystemClock;
import org.sqzkit.demo.phone.Idle;
import org.sqzkit.demo.phone.PhoneTestRunner;

/** The answers so far: kept, gone back to, removed, brought back, and bounded. */
@RunWith(PhoneTestRunner.class)
public class HistoryActivityTest {
    private ActivityController<HistoryActivity> controller;

    @Before
    public void open() throws Exception {
        Screens.useModel("colours_int8.tflite");
        classify(Screens.GREEN);
        classify(Screens.RED);
        classify(Screens.BLUE);
        start();
    }

    private void start() {
        controller = Robolectric.buildActivity(HistoryActivity.class).setup();
    }

    @After
    public void close() {
        controller.close();
        Screens.engine().close();
    }

    private static void classify(int color) throws Exception {
        ShadowSystemClock.advanceBy(Duration.ofMinutes(1));
        Screens.engine().photos().classify(Screens.offer(color + ".jpg", Screens.photo(color)));
        Screens.settle();
    }

    private static AppState.History history() {
        return Screens.engine().state().history();
    }

    private static File folder() {
        return new File(Screens.context().getFilesDir(), "history");
    }

    private ViewGroup rows() {
        return controller.get().findViewById(R.id.answers);
    }

    /** The first word of each answer. */
    private List<String> shown() {
        List<String> shown = new ArrayList<>();
        for (int i = 0; i < rows().getChildCount(); i++) {
            TextView text = rows().getChildAt(i).findViewById(R.id.former_text);
            shown.add(text.getText().toString().split(",")[0]);
        }
        return shown;
    }

    private void click(int row, int id) throws Exception {
        rows().getChildAt(row).findViewById(id).performClick();
        Screens.settle();
    }

    private static String best() {
        return Screens.engine().state().photo().result().best().get(0).label();
    }

    private void restart() {
        controller.close();
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
        Screens.engine();
        start();
    }

    @Test
    public void theFirstScreenLeadsHereOnceThereIsAnAnswer() throws Exception {
        ActivityController<MainActivity> main = Robolectric.buildActivity(MainActivity.class).setup();
        assertTrue(Screens.shown(main.get(), R.id.history));
        main.get().findViewById(R.id.history).performClick();
        assertEquals(HistoryActivity.class.getName(),
                shadowOf(main.get()).getNextStartedActivity().getComponent().getClassName());
        Screens.engine().clearStorage();
        Screens.settle();
        assertFalse(Screens.shown(main.get(), R.id.history));
        assertEquals(controller.get().getString(R.string.history_empty),
                Screens.text(controller.get(), R.id.hint));
        main.close();
    }

    @Test
    @Config(sdk = 35)
    public void eachAnswerHasItsPhotoModelAndTime() {
        assertEquals(Arrays.asList("blue", "red", "green"), shown());
        for (int i = 0; i < rows().getChildCount(); i++) {
            String model = ((TextView) rows().getChildAt(i).findViewById(R.id.former_model)).getText().toString();
            assertTrue(model, model.matches("Colours, \\w+ \\d+, \\d{4}, \\d+:\\d\\d.[AP]M"));
        }
        BitmapDrawable photo = (BitmapDrawable) ((ImageView) rows().getChildAt(1)
                .findViewById(R.id.former_photo)).getDrawable();
        int pixel = photo.getBitmap().getPixel(photo.getBitmap().getWidth() / 2, photo.getBitmap().getHeight() / 2);
        assertTrue(Integer.toHexString(pixel), (pixel >> 16 & 255) > 150 && (pixel & 255) < 100);
    }

    @Test
    public void aTapGoesBackToThePhotoAndAddsNothing() throws Exception {
        click(2, R.id.former);
        assertTrue(controller.get().isFinishing());
        assertEquals("green", best());
        assertEquals(3, history().answers().size());
        classify(Screens.RED);
        assertEquals("the same photo once more is another photo", 4, history().answers().size());
    }

    @Test
    public void anotherModelsAnswerIsAnotherAnswerOfOnePhoto() throws Exception {
        int photos = folder().list().length;
        Screens.useModel("foreign.tflite");
        assertEquals(Arrays.asList("blau", "blue", "red", "green"), shown());
        assertEquals(photos, folder().list().length);
        click(1, R.id.former_remove);
        click(0, R.id.former);
        assertEquals("blau", best());
    }

    @Test
    public void whatIsRemovedCanBeBroughtBackUntilTheScreenIsLeft() throws Exception {
        assertFalse(Screens.shown(controller.get(), R.id.removed));
        click(1, R.id.former_remove);
        assertEquals(Arrays.asList("blue", "green"), shown());
        assertTrue(Screens.text(controller.get(), R.id.removed_text).contains("red"));
        controller.get().findViewById(R.id.undo).performClick();
        assertEquals("in its place", Arrays.asList("blue", "red", "green"), shown());
        assertFalse(Screens.shown(controller.get(), R.id.removed));
        restart();
        assertEquals(Arrays.asList("blue", "red", "green"), shown());
        long bytes = Arrays.stream(folder().listFiles()).mapToLong(File::length).sum();
        assertEquals(bytes, history().bytes());
        click(1, R.id.former_remove);
        assertEquals("photo and small picture of three", 6, folder().list().length);
        controller.get().finish();
        controller.pause().stop().destroy();
        assertEquals(4, folder().list().length);
        start();
        assertFalse(Screens.shown(controller.get(), R.id.removed));
    }

    @Test
    public void aTurnOfThePhoneKeepsWhatCanBeBroughtBack() throws Exception {
        click(1, R.id.former_remove);
        controller.recreate();
        assertTrue(Screens.shown(controller.get(), R.id.removed));
        controller.get().findViewById(R.id.undo).performClick();
        assertEquals(Arrays.asList("blue", "red", "green"), shown());
    }

    @Test
    public void theEndOfTheProcessKeepsAnswersAndDeletesWhatNobodyNeeds() throws Exception {
        click(1, R.id.former_remove);
        assertTrue(new File(folder(), "photo17").createNewFile());
        assertTrue(new File(folder(), "in-3.part").createNewFile());
        restart();
        assertEquals(Arrays.asList("blue", "green"), shown());
        assertEquals(4, folder().list().length);
    }

    /** The next photo is stored under a name of its own, so the one on the screen is whole at any moment. */
    @Test
    public void aProcessKilledWhileAPhotoIsStoredComesBackWithTheOneBefore() throws Exception {
        String shown = Screens.engine().photos().history().shown();
        File copy = File.createTempFile("photo-", ".part", Screens.context().getFilesDir());
        assertTrue(copy.delete());
        try {
            Screens.engine().photos().history().keep(copy, Screens.engine().state().photo().bitmap());
        } catch (java.io.IOException e) {
            // There is no copy to rename: the process ends just before that.
        }
        restart();
        assertEquals(shown, Screens.engine().photos().history().shown());
        Screens.engine().photos().restore(null);
        Screens.settle();
        assertNotNull(Screens.engine().state().photo().bitmap());
        assertEquals(6, folder().list().length);
    }

    @Test
    public void aPhotoThatNobodyWaitsForAnyMoreIsDeleted() throws Exception {
        Screens.engine().photos().classify(Screens.offer("late.jpg", Screens.photo(Screens.RED)));
        Screens.engine().photos().cancel();
        Idle.await(Screens.engine()::awaitReturned);
        assertEquals(6, folder().list().length);
    }

    @Test
    public void theOldestAnswersGoAndTheirPhotosWithThem() throws Exception {
        History history = Screens.engine().photos().history();
        for (int i = 0; i < 2 * History.MAX_ANSWERS; i++) {
            history.add("model " + i, "blue, 1 %", 1_000_000 + i);
        }
        assertEquals(History.MAX_ANSWERS, history().answers().size());
        assertEquals("model " + (2 * History.MAX_ANSWERS - 1), history().answers().get(0).model());
        assertEquals("one photo", 2, folder().list().length);
        restart();
        assertEquals(History.MAX_ANSWERS, history().answers().size());
    }

    @Test
    public void photosAreBoundedInBytesButTheNewestStays() throws Exception {
        History history = Screens.engine().photos().history();
        String blue = history.shown();
        try (java.io.RandomAccessFile file = new java.io.RandomAccessFile(history.file(blue), "rw")) {
            file.setLength(History.MAX_BYTES + 1);
        }
        history.show(blue);
        history.add("another model", "blue, 1 %", 2_000_000);
        assertEquals(1, history().answers().size());
        assertEquals(2, folder().list().length);
        assertTrue(history().bytes() > History.MAX_BYTES);
    }

    @Test
    public void aFolderThatCannotBeMadeEndsNothing() throws Exception {
        Screens.engine().photos().clear();
        assertTrue(folder().delete() && folder().createNewFile());
        restart();
        Screens.engine().photos().classify(Screens.offer("red.jpg", Screens.photo(Screens.RED)));
        Screens.settle();
        assertNotNull(Screens.engine().state().photo().error());
        assertTrue(history().answers().isEmpty());
    }

    @Test
    public void theHistoryCannotBeOpenedByOtherApps() throws Exception {
        assertFalse(Screens.context().getPackageManager().getActivityInfo(
                new Intent(Screens.context(), HistoryActivity.class).getComponent(), 0).exported);
    }
}
