package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.app.AlertDialog;
import android.content.Intent;
import android.graphics.Bitmap;
import android.net.Uri;
import android.os.Looper;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.shadows.ShadowAlertDialog;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.RunOptions;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;
import org.sqzkit.demo.ui.Formats;

/** Nothing ends the app: what fails is told and put aside, and what was there before goes on. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class ResilienceTest {
    private static final int WHITE = 0xffffffff;
    private static final long PATIENCE_SECONDS = 120;

    private final CountDownLatch hanging = new CountDownLatch(1);
    private ActivityController<MainActivity> controller;

    @Before
    public void open() throws Exception {
        Screens.useModel("colours_int8.tflite");
        start(new Intent());
    }

    private void start(Intent intent) throws Exception {
        controller = Robolectric.buildActivity(MainActivity.class, intent).setup();
        Screens.settle();
    }

    @After
    public void close() {
        hanging.countDown();
        controller.close();
        Screens.engine().close();
    }

    private MainActivity screen() {
        return controller.get();
    }

    private static AppState state() {
        return Screens.engine().state();
    }

    private void classify(int color) throws Exception {
        Screens.engine().photos().classify(Screens.offer(color + ".jpg", Screens.photo(color)));
        Screens.settle();
    }

    private static String answer() {
        return state().photo().result().best().get(0).label();
    }

    private void restart() throws Exception {
        controller.close();
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
        start(new Intent());
    }

    /** A stream that never delivers, not even when it is closed. */
    private final class Hanging extends InputStream {
        @Override
        public int read() throws IOException {
            try {
                hanging.await();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            return -1;
        }

        @Override
        public int read(byte[] into, int from, int count) throws IOException {
            return read();
        }

        @Override
        public void close() throws IOException {
            read();
        }
    }

    private Uri hangingFile(String name) {
        Uri uri = Uri.parse("content://other.app/" + name);
        shadowOf(Screens.context().getContentResolver())
                .registerInputStreamSupplier(uri, Hanging::new);
        return uri;
    }

    private static void waitUntil(BooleanSupplier condition) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.getAsBoolean()) {
            assertTrue("waited too long", System.nanoTime() < end);
            shadowOf(Looper.getMainLooper()).idle();
            Thread.yield();
        }
    }

    @Test
    public void aBadPhotoKeepsTheFormerOneAndItsResult() throws Exception {
        classify(Screens.GREEN);
        Bitmap before = state().photo().bitmap();
        Screens.engine().photos().classify(Screens.offer("text.jpg", "no image".getBytes()));
        Screens.settle();
        assertEquals(R.string.error_not_an_image, state().photo().error().resource());
        assertSame(before, state().photo().bitmap());
        assertEquals("green", answer());
        assertTrue(Screens.shown(screen(), R.id.result));
        restart();
        Screens.engine().photos().restore(null);
        Screens.settle();
        assertNotNull("the stored photo is the good one", state().photo().bitmap());
    }

    @Test
    public void aProviderThatHangsHoldsUpNothingElse() throws Exception {
        Screens.engine().models().open(hangingFile("endless.tflite"));
        Screens.engine().photos().classify(Screens.offer("red.jpg", Screens.photo(Screens.RED)));
        waitUntil(() -> state().photo().result() != null);
        assertEquals("red", answer());
        assertEquals(Step.COPYING, state().models().step());
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(ModelSession.LIMIT_MILLIS + 1));
        assertEquals(R.string.error_timeout, state().models().failure().error().resource());
        assertEquals("Colours", state().models().current().title());
        Screens.useModel("foreign.tflite");
        assertEquals("Elsewhere", state().models().current().title());
    }

    @Test
    public void workThatTakesLongCanBeCancelled() throws Exception {
        classify(Screens.BLUE);
        Screens.engine().photos().classify(hangingFile("endless.jpg"));
        shadowOf(Looper.getMainLooper()).idle();
        assertFalse("not at once", Screens.shown(screen(), R.id.progress));
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(ProgressCard.DELAY_MILLIS));
        assertTrue(Screens.shown(screen(), R.id.progress));
        assertEquals(screen().getString(R.string.step_copying),
                Screens.text(screen(), R.id.progress_text));
        screen().findViewById(R.id.progress_cancel).performClick();
        Screens.settle();
        assertFalse(Screens.shown(screen(), R.id.progress));
        assertNull(state().photo().error());
        assertEquals("blue", answer());
    }

    @Test
    public void providersThatHangAgainAndAgainAreRefusedAtLast() throws Exception {
        for (int i = 0; i < TaskRunner.MAX_STUCK; i++) {
            Screens.engine().photos().classify(hangingFile(i + ".jpg"));
        }
        Screens.engine().photos().cancel();
        Screens.engine().photos().classify(hangingFile("more.jpg"));
        Screens.settle();
        assertEquals(R.string.error_busy, state().photo().error().resource());
        hanging.countDown();
        waitUntil(() -> {
            Screens.engine().photos().classify(Screens.offer("red.jpg", Screens.photo(Screens.RED)));
            shadowOf(Looper.getMainLooper()).idle();
            return state().photo().error() == null;
        });
        Screens.settle();
        assertEquals("red", answer());
    }

    @Test
    public void whateverATaskThrowsIsTold() throws Exception {
        TaskRunner tasks = new TaskRunner();
        Throwable[] thrown = {new StackOverflowError(), new OutOfMemoryError(), new NullPointerException(),
            new LinkageError(), new AppError(R.string.error_timeout), new Exception("checked")};
        int[] told = {R.string.error_unexpected, R.string.error_memory, R.string.error_unexpected,
            R.string.error_unexpected, R.string.error_timeout, R.string.error_unexpected};
        for (int i = 0; i < thrown.length; i++) {
            Throwable cause = thrown[i];
            AtomicReference<AppError> error = new AtomicReference<>();
            tasks.start(PhotoSession.LIMIT_MILLIS, task -> {
                if (cause instanceof Error) {
                    throw (Error) cause;
                }
                throw (Exception) cause;
            }, value -> { }, error::set);
            assertTrue(tasks.awaitIdle(PATIENCE_SECONDS, TimeUnit.SECONDS));
            shadowOf(Looper.getMainLooper()).idle();
            assertEquals(cause.toString(), told[i], error.get().resource());
        }
    }

    @Test
    public void aModelThatFailsWhileRunningIsPutAside() throws Exception {
        Screens.useModel("fails_when_bright.tflite");
        classify(0xff000000);
        assertEquals("fails when bright", state().models().current().title());
        classify(WHITE);
        assertEquals("the former model goes on", "Colours", state().models().current().title());
        assertEquals(R.string.error_does_not_run, state().models().failure().error().resource());
        assertNotNull("and classifies the photo", state().photo().result());
        restart();
        assertEquals("also at the next start", "Colours", state().models().current().title());
    }

    /** The shared file takes the place of the first opening, which must not be lost with it. */
    @Test
    public void aBadModelSharedAtTheStartLeavesTheFormerOne() throws Exception {
        controller.close();
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
        Screens.engine().models().open(Screens.offer("notes.tflite", "no model at all".getBytes()));
        Screens.settle();
        assertEquals("Colours", state().models().current().title());
        assertEquals(R.string.error_not_a_model, state().models().failure().error().resource());
    }

    @Test
    public void clearingWhileTheFirstModelOpensLeavesAModel() throws Exception {
        controller.close();
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
        Screens.engine().clearStorage();
        Screens.settle();
        assertEquals("Colours", state().models().current().title());
    }

    @Test
    public void modelsThatAllFailDoNotTakeTurnsForEver() throws Exception {
        Screens.useModel("fails_when_bright.tflite");
        byte[] other = Resources.model("fails_when_bright.tflite").clone();
        other = java.util.Arrays.copyOf(other, other.length + 16);
        Screens.engine().models().open(Screens.offer("other.tflite", other));
        Screens.settle();
        classify(WHITE);
        assertTrue("a model of the app's own", state().models().current().entry().bundled());
        assertNotNull(state().photo().result());
    }

    @Test
    public void aModelThatEndedTheProcessIsNotOpenedAgain() throws Exception {
        String id = state().models().current().entry().id();
        Files.write(new File(Screens.context().getFilesDir(), "running").toPath(),
                id.getBytes(StandardCharsets.UTF_8));
        restart();
        assertTrue(state().models().current().entry().bundled());
        assertEquals(R.string.error_model_crashed, state().models().failure().error().resource());
        ModelEntry chosen = state().models().entries().stream()
                .filter(entry -> entry.id().equals(id)).findFirst().get();
        Screens.engine().models().choose(chosen);
        Screens.settle();
        assertEquals("unless it is chosen", "Colours", state().models().current().title());
        restart();
        assertEquals("Colours", state().models().current().title());
    }

    @Test
    public void aPhotoThatEndedTheProcessIsNotDecodedAgain() throws Exception {
        classify(Screens.RED);
        classify(Screens.BLUE);
        History history = Screens.engine().photos().history();
        File kept = history.file(history.shown());
        assertTrue(kept.exists());
        Files.write(new File(Screens.context().getFilesDir(), "running").toPath(),
                kept.getName().getBytes(StandardCharsets.UTF_8));
        restart();
        assertFalse(kept.exists());
        assertEquals("the other photo stays", 1, state().history().answers().size());
    }

    @Test
    public void nothingIsMarkedAsRunningWhenNothingRuns() throws Exception {
        classify(Screens.RED);
        assertFalse(new File(Screens.context().getFilesDir(), "running").exists());
    }

    @Test
    public void recentsDoNotRepeatAnOldShare() throws Exception {
        controller.close();
        Uri uri = Screens.offer("old.jpg", Screens.photo(Screens.BLUE));
        start(new Intent(Intent.ACTION_SEND).setType("image/jpeg").putExtra(Intent.EXTRA_STREAM, uri)
                .addFlags(Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY));
        assertNull(state().photo().bitmap());
    }

    @Test
    public void optionsWithoutAModelChangeNothingElse() throws Exception {
        Screens.engine().models().putAside(Screens.engine().models().runner(), new AppError(R.string.error_memory));
        shadowOf(Looper.getMainLooper()).idle();
        Screens.engine().models().cancel();
        assertNull(state().models().current());
        Screens.engine().models().setOptions(new RunOptions(1, false));
        assertEquals(Step.IDLE, state().models().step());
        assertEquals(new RunOptions(1, false), state().options());
    }

    @Test
    public void theSameFileOpenedTwiceIsOneEntry() throws Exception {
        int before = state().models().entries().size();
        Screens.engine().models().open(
                Screens.offer("another name.tflite", Resources.model("colours_int8.tflite")));
        Screens.settle();
        assertEquals(before, state().models().entries().size());
        assertEquals("colours_int8.tflite", state().models().current().entry().fileName());
    }

    @Test
    public void anotherAppChangesTheModelOnlyIfTheUserAgrees() throws Exception {
        Uri uri = Screens.offer("foreign.tflite", Resources.model("foreign.tflite"));
        controller.newIntent(
                new Intent(Intent.ACTION_VIEW).setDataAndType(uri, "application/octet-stream"));
        Screens.settle();
        assertEquals("Colours", state().models().current().title());
        ShadowAlertDialog.getLatestAlertDialog().getButton(AlertDialog.BUTTON_NEGATIVE).performClick();
        Screens.settle();
        assertEquals("Colours", state().models().current().title());
        controller.newIntent(
                new Intent(Intent.ACTION_VIEW).setDataAndType(uri, "application/octet-stream"));
        controller.recreate();
        ShadowAlertDialog.getLatestAlertDialog().getButton(AlertDialog.BUTTON_POSITIVE).performClick();
        Screens.settle();
        assertEquals("Elsewhere", state().models().current().title());
    }

    @Test
    public void interruptedCopiesAreDeletedAtTheNextStart() throws Exception {
        File folder = Screens.context().getFilesDir();
        File photo = new File(folder, "photo-1.part");
        File model = new File(folder, "models/model-1.part");
        Files.write(photo.toPath(), new byte[10]);
        Files.write(model.toPath(), new byte[10]);
        restart();
        assertFalse(photo.exists());
        assertFalse(model.exists());
    }

    @Test
    public void whatIsStoredIsShownAndCanBeCleared() throws Exception {
        classify(Screens.RED);
        Screens.engine().models().open(
                Screens.offer("digits.sqz", Files.readAllBytes(new File("src/test/assets/models/digits.sqz").toPath())));
        Screens.settle();
        ActivityController<ModelsActivity> models =
                Robolectric.buildActivity(ModelsActivity.class).setup();
        assertTrue(state().models().storage().copyBytes > 0);
        long bytes = 0;
        for (File file : new File(Screens.context().getFilesDir(), "history").listFiles()) {
            bytes += file.length();
        }
        assertTrue(Screens.text(models.get(), R.id.storage).endsWith("Former answers: 2 ("
                + Formats.size(models.get(), bytes) + ")"));
        assertTrue(Screens.text(models.get(), R.id.storage).contains("Models you opened: "));
        models.get().findViewById(R.id.clear).performClick();
        Screens.settle();
        assertEquals(0, state().models().storage().copyBytes);
        assertNull(state().photo().bitmap());
        assertEquals(0, new File(Screens.context().getFilesDir(), "history").list().length);
        classify(Screens.RED);
        assertNotNull("the model in use goes on", state().photo().result());
        models.close();
    }

    @Test
    public void aFullDiskIsToldAsSuch() throws Exception {
        File folder = new File(Screens.context().getFilesDir(), "models");
        for (File file : folder.listFiles()) {
            assertTrue(file.delete());
        }
        assertTrue(folder.delete() && folder.createNewFile()); // nothing can be written there any more
        Screens.engine().models().open(
                Screens.offer("foreign.tflite", Resources.model("foreign.tflite")));
        Screens.settle();
        assertEquals(R.string.error_storage, state().models().failure().error().resource());
        assertEquals("Colours", state().models().current().title());
    }
}
