package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.app.Activity;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.net.Uri;
import android.view.ViewGroup;
import android.widget.Spinner;
import android.widget.TextView;
import java.io.File;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.model.Benchmark;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.RunOptions;
import org.sqzkit.demo.phone.PhoneTestRunner;

/** The laboratory: two models on one photo, the benchmark, and what is shared of it. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class LabActivityTest {
    private static final String SHEET = "benchmark.csv";

    private ActivityController<LabActivity> controller;

    @Before
    public void open() throws Exception {
        Screens.useModel("colours_float.tflite");
        Screens.useModel("colours_int8.tflite");
        controller = Robolectric.buildActivity(LabActivity.class).setup();
        Screens.settle();
    }

    @After
    public void close() {
        controller.close();
        Screens.engine().close();
    }

    private LabActivity screen() {
        return controller.get();
    }

    private static AppState.Lab lab() {
        return Screens.engine().state().lab();
    }

    private Spinner spinner() {
        return screen().findViewById(R.id.second);
    }

    private void compareWith(String name) throws Exception {
        for (int i = 0; i < spinner().getCount(); i++) {
            if (spinner().getItemAtPosition(i).equals(name)) {
                spinner().setSelection(i);
                spinner().getOnItemSelectedListener().onItemSelected(spinner(), null, i, i);
                Screens.settle();
                return;
            }
        }
        throw new AssertionError(name + " is not offered");
    }

    private ViewGroup answer(int number) {
        return (ViewGroup) ((ViewGroup) screen().findViewById(R.id.answers)).getChildAt(number);
    }

    private String firstLabel(int number) {
        ViewGroup rows = answer(number).findViewById(R.id.answer_rows);
        return ((TextView) rows.getChildAt(0).findViewById(R.id.label)).getText().toString();
    }

    private void show(int color) throws Exception {
        Screens.engine().photos().classify(Screens.offer(color + ".jpg", Screens.photo(color)));
        Screens.settle();
    }

    @Test
    public void twoModelsAnswerOnOnePhoto() throws Exception {
        assertTrue(Screens.shown(screen(), R.id.no_photo));
        compareWith("colours_float.tflite");
        assertNull(lab().second());
        show(Screens.GREEN);
        assertFalse(Screens.shown(screen(), R.id.no_photo));
        assertEquals("green", firstLabel(0));
        assertEquals("green", firstLabel(1));
        assertEquals(screen().getString(R.string.lab_same), Screens.text(screen(), R.id.agreement));
        show(Screens.BLUE);
        assertEquals("blue", firstLabel(0));
        assertEquals("blue", firstLabel(1));
        compareWith(screen().getString(R.string.lab_none));
        assertNull(lab().second());
        assertFalse(Screens.shown(screen(), R.id.agreement));
    }

    @Test
    public void differentAnswersAreTold() throws Exception {
        Screens.engine().models().open(Screens.offer("digits.sqz",
                Files.readAllBytes(Paths.get("src/test/assets/models/digits.sqz"))));
        Screens.settle();
        compareWith("colours_int8.tflite");
        show(Screens.GREEN);
        assertEquals(screen().getString(R.string.lab_different), Screens.text(screen(), R.id.agreement));
    }

    @Test
    public void theModelInUseIsNotOfferedAndTheOtherIsRemembered() throws Exception {
        compareWith("colours_float.tflite");
        for (int i = 0; i < spinner().getCount(); i++) {
            assertFalse("colours_int8.tflite".equals(spinner().getItemAtPosition(i)));
        }
        ((DemoApp) Screens.context()).endProcess();
        Screens.settle();
        controller = Robolectric.buildActivity(LabActivity.class).setup();
        assertEquals("colours_float.tflite", spinner().getSelectedItem());
        Screens.engine().models().choose(Screens.engine().lab().second());
        Screens.settle();
        assertNull("compared with itself", Screens.engine().lab().second());
    }

    @Test
    public void aSecondModelThatCannotBeReadIsACard() throws Exception {
        show(Screens.RED);
        File model = new File(Screens.context().getFilesDir(), "models/colours_float.tflite");
        byte[] content = Files.readAllBytes(model.toPath());
        Files.write(model.toPath(), Arrays.copyOf(content, content.length / 2));
        compareWith("colours_float.tflite");
        assertEquals(screen().getString(R.string.error_damaged_model),
                Screens.text(screen(), R.id.error_text));
        assertFalse(answer(1).isShown());
        screen().findViewById(R.id.error_action).performClick();
        assertFalse(Screens.shown(screen(), R.id.error));
    }

    @Test
    public void bothModelsAreMeasuredInEveryWay() throws Exception {
        AtomicLong used = new AtomicLong();
        Screens.engine().lab().measureMemoryWith(() -> used.getAndAdd(1000));
        compareWith("colours_float.tflite");
        screen().findViewById(R.id.measure).performClick();
        assertTrue(Screens.shown(screen(), R.id.running));
        Screens.settle();
        assertFalse(Screens.shown(screen(), R.id.running));
        List<RunOptions> ways = LabSession.ways();
        assertEquals(2 * ways.size(), lab().rows().size());
        for (int i = 0; i < lab().rows().size(); i++) {
            BenchmarkRow row = lab().rows().get(i);
            assertEquals(ways.get(i % ways.size()), row.options());
            Benchmark.Times times = row.times();
            assertTrue(times.toString(), times.open() > 0 && times.first() > 0 && times.p50() > 0);
            assertTrue(times.toString(), times.p50() <= times.p90());
            assertTrue(times.toString(), times.runs() >= Benchmark.MIN_RUNS
                    && times.runs() <= Benchmark.MAX_RUNS);
            assertEquals(1000, times.memory());
        }
        assertFalse(lab().rows().get(0).sha256().equals(lab().rows().get(ways.size()).sha256()));
        ViewGroup sheet = screen().findViewById(R.id.sheet);
        assertEquals("a heading for each model", 2 * ways.size() + 2, sheet.getChildCount());
    }

    @Test
    public void theSheetSurvivesTheEndOfTheProcess() throws Exception {
        screen().findViewById(R.id.measure).performClick();
        Screens.settle();
        String before = BenchmarkRow.csv(lab().rows());
        ((DemoApp) Screens.context()).endProcess();
        Screens.settle();
        assertEquals(before, BenchmarkRow.csv(lab().rows()));
        Files.write(new File(Screens.context().getFilesDir(), SHEET).toPath(), new byte[] {1, -1, 10});
        ((DemoApp) Screens.context()).endProcess();
        Screens.settle();
        assertTrue(lab().rows().isEmpty());
    }

    @Test
    public void measuringStopsWhenItIsCancelled() throws Exception {
        AtomicLong asked = new AtomicLong();
        CountDownLatch measured = new CountDownLatch(1);
        CountDownLatch stopped = new CountDownLatch(1);
        Screens.engine().lab().measureMemoryWith(() -> {
            if (asked.incrementAndGet() == 2) {
                measured.countDown();
                await(stopped);
            }
            return 0;
        });
        screen().findViewById(R.id.measure).performClick();
        await(measured);
        screen().findViewById(R.id.stop).performClick();
        stopped.countDown();
        Screens.settle();
        assertEquals(2, asked.get());
        assertEquals(0, lab().total());
        assertTrue(lab().rows().isEmpty());
        assertTrue(Screens.shown(screen(), R.id.measure));
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(10, TimeUnit.MINUTES));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private byte[] shared(String type) throws Exception {
        Screens.settle();
        Intent chooser = shadowOf(screen()).getNextStartedActivity();
        Intent send = chooser.getParcelableExtra(Intent.EXTRA_INTENT);
        assertEquals(type, send.getType());
        Uri uri = send.getParcelableExtra(Intent.EXTRA_STREAM);
        assertEquals(type, Screens.context().getContentResolver().getType(uri));
        try (InputStream in = new android.os.ParcelFileDescriptor.AutoCloseInputStream(
                Robolectric.buildContentProvider(PhotoProvider.class).create().get()
                        .openFile(uri, "r"))) {
            return in.readAllBytes();
        }
    }

    @Test
    public void theSheetIsSharedAsCsvAndAsPicture() throws Exception {
        assertFalse(Screens.shown(screen(), R.id.share_csv));
        screen().findViewById(R.id.measure).performClick();
        Screens.settle();
        Screens.draw(screen());
        screen().findViewById(R.id.share_csv).performClick();
        String csv = new String(shared("text/csv"), "UTF-8");
        String[] lines = csv.split("\n");
        assertEquals(1 + LabSession.ways().size(), lines.length);
        assertEquals(15, lines[0].split(",").length);
        assertEquals(15, lines[1].split(",", -1).length);
        screen().findViewById(R.id.share_picture).performClick();
        byte[] png = shared("image/png");
        Bitmap picture = BitmapFactory.decodeByteArray(png, 0, png.length);
        assertEquals(screen().findViewById(R.id.sheet).getWidth(), picture.getWidth());
        assertEquals(255, picture.getPixel(0, 0) >>> 24);
    }

    @Test
    public void csvAndRowsAreTheSame() {
        BenchmarkRow measured = new BenchmarkRow("Maker Phone,arm64-v8a,35,2.16.1", "net", "ab", 12,
                new RunOptions(2, true), new Benchmark.Times(1_500_000, 2_000, 3_000, 4_000, 50, 1 << 20));
        BenchmarkRow failed = new BenchmarkRow("Maker Phone,arm64-v8a,35,2.16.1", "net", "ab", 12,
                new RunOptions(2, false), null);
        String csv = BenchmarkRow.csv(List.of(measured, failed));
        assertEquals(BenchmarkRow.HEADER + "\n"
                + "Maker Phone,arm64-v8a,35,2.16.1,net,ab,12,2,1,1.500,0.002,0.003,0.004,50,1048576\n"
                + "Maker Phone,arm64-v8a,35,2.16.1,net,ab,12,2,0,,,,,0,\n", csv);
        assertEquals(List.of(measured, failed), BenchmarkRow.read(csv));
        for (String damaged : new String[] {"", "\n", "a,b\n1,2\n", csv.replace("1.500", "x"),
            csv.substring(0, csv.length() - 20), BenchmarkRow.HEADER + "\n1,2\n"}) {
            assertTrue(damaged, BenchmarkRow.read(damaged).isEmpty());
        }
    }

    @Test
    public void namesCannotBreakTheCsv() throws Exception {
        Screens.engine().models().open(Screens.offer("a, \"b\".tflite",
                org.sqzkit.demo.phone.Resources.model("bare_float.tflite")));
        Screens.settle();
        BenchmarkRow row = BenchmarkRow.of(Screens.engine().state().models().current(),
                new RunOptions(1, true), null);
        String csv = BenchmarkRow.csv(List.of(row));
        assertEquals(15, csv.split("\n")[1].split(",", -1).length);
        assertEquals(List.of(row), BenchmarkRow.read(csv));
    }

    @Test
    public void theModelsScreenLeadsHere() {
        Activity models = Robolectric.buildActivity(ModelsActivity.class).setup().get();
        models.findViewById(R.id.lab).performClick();
        assertEquals(LabActivity.class.getName(),
                shadowOf(models).getNextStartedActivity().getComponent().getClassName());
    }

    @Test
    public void everyEntryIsCompared() throws Exception {
        show(Screens.RED);
        for (ModelEntry entry : Screens.engine().state().models().entries()) {
            Screens.engine().lab().setSecond(entry);
            Screens.settle();
            boolean itself = entry.fileName().equals("colours_int8.tflite");
            assertEquals(entry.fileName(), itself, lab().second() == null);
        }
    }
}
