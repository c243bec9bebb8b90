package org.sqzkit.demo;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.robolectric.Shadows.shadowOf;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.ClipData;
import android.content.Intent;
import android.net.Uri;
import android.view.ViewGroup;
import android.widget.TextView;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.shadows.ShadowActivity;
import org.robolectric.shadows.ShadowAlertDialog;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;
import org.sqzkit.demo.ui.PhotoView;
import org.sqzkit.sqz.SqzDecoder;
import org.sqzkit.teach.Export;
import org.sqzkit.teach.Head;
import org.sqzkit.teach.HeadFile;
import org.sqzkit.teach.LastLayer;

/** Teaching: from photographs to answers, all changes, and what survives the end of the process. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class TeachActivityTest {
    private static final int[] REDS = {Screens.RED, 0xffc83214, 0xffb41e28, 0xffe63c28};
    private static final int[] GREENS = {Screens.GREEN, 0xff18a830, 0xff309020};
    private static final String MODEL = "colours_int8.tflite";

    private ActivityController<? extends Activity> controller;

    @Before
    public void open() throws Exception {
        Screens.useModel(MODEL);
        controller = Robolectric.buildActivity(TeachActivity.class).setup();
        Screens.settle();
    }

    @After
    public void close() {
        controller.close();
        Screens.engine().close();
    }

    private Activity screen() {
        return controller.get();
    }

    private static AppState.Teaching state() {
        return Screens.engine().state().teaching();
    }

    /** "mug 4/4, lawn 3/3": the classes with their photographs, and how many are recognized. */
    private static String classes() {
        List<String> found = new ArrayList<>();
        for (AppState.TaughtClass one : state().classes()) {
            found.add(one.label() + " " + one.recognized() + "/" + one.photographs().size());
        }
        return String.join(", ", found);
    }

    private void teachTwo() throws Exception {
        Screens.teach("mug", REDS);
        Screens.teach("lawn", GREENS);
    }

    private ViewGroup card(int number) {
        return (ViewGroup) ((ViewGroup) screen().findViewById(R.id.classes)).getChildAt(number);
    }

    private static AlertDialog dialog() {
        return (AlertDialog) ShadowAlertDialog.getLatestDialog();
    }

    private static void confirm() throws Exception {
        dialog().getButton(AlertDialog.BUTTON_POSITIVE).performClick();
        Screens.settle();
    }

    private static void rename(ViewGroup card, String name) throws Exception {
        card.findViewById(R.id.class_rename).performClick();
        ((TextView) dialog().findViewById(R.id.name)).setText(name);
        confirm();
    }

    private void assertError(int reason, Object... arguments) {
        assertTrue(Screens.shown(screen(), R.id.error));
        assertEquals(screen().getString(reason, arguments), Screens.text(screen(), R.id.error_text));
    }

    @Test
    @Config(sdk = {24, 35})
    public void photographsThatAreChosenAreTaught() throws Exception {
        ((TextView) screen().findViewById(R.id.name)).setText(" mug ");
        screen().findViewById(R.id.choose).performClick();
        ShadowActivity.IntentForResult asked = shadowOf(screen()).getNextStartedActivityForResult();
        ClipData several = ClipData.newRawUri("", Screens.offer("1.jpg", Screens.photo(REDS[0])));
        several.addItem(new ClipData.Item(Screens.offer("2.jpg", Screens.photo(REDS[1]))));
        Intent answer = new Intent();
        answer.setClipData(several);
        shadowOf(screen()).receiveResult(asked.intent, Activity.RESULT_OK, answer);
        Screens.settle();
        Screens.settle();
        assertEquals("mug -1/2", classes());
        assertEquals("", Screens.text(screen(), R.id.name));
        card(0).findViewById(R.id.class_choose).performClick();
        asked = shadowOf(screen()).getNextStartedActivityForResult();
        shadowOf(screen()).receiveResult(asked.intent, Activity.RESULT_OK,
                new Intent().setData(Screens.offer("3.jpg", Screens.photo(REDS[2]))));
        Screens.settle();
        assertEquals("mug -1/3", classes());
        assertEquals(3, ((ViewGroup) card(0).findViewById(R.id.pictures)).getChildCount());
    }

    @Test
    public void saysHowSureItIsAndAnswersOnTheFirstScreen() throws Exception {
        teachTwo();
        assertEquals("lawn 3/3, mug 4/4", classes());
        assertEquals(screen().getString(R.string.teach_sure, 3, 3),
                Screens.text(screen(), R.id.class_count));
        Screens.teach("mug", 0xffd23232);
        assertTrue(Screens.text(screen(), R.id.last), Screens.text(screen(), R.id.last)
                .startsWith(screen().getString(R.string.teach_last, "mug, ")));
        controller.close();
        controller = Robolectric.buildActivity(MainActivity.class).setup();
        Screens.engine().photos().classify(Screens.offer("red.jpg", Screens.photo(0xffdc2814)));
        Screens.settle();
        assertTrue(Screens.text(screen(), R.id.summary).startsWith("mug, "));
        ViewGroup own = screen().findViewById(R.id.rows);
        assertEquals("red", ((TextView) own.getChildAt(0).findViewById(R.id.label)).getText().toString());
        assertTrue(Screens.text(screen(), R.id.own).endsWith("Colours"));
        Screens.engine().photos().classify(Screens.offer("blue.jpg", Screens.photo(Screens.BLUE)));
        Screens.settle();
        assertEquals(screen().getString(R.string.teach_none),
                Screens.text(screen(), R.id.summary));
    }

    @Test
    public void photographsAreRemovedByATap() throws Exception {
        teachTwo();
        short[] features = state().classes().get(0).photographs().get(1);
        assertTrue(Screens.engine().teaching().picture(features).exists());
        ((ViewGroup) card(0).findViewById(R.id.pictures)).getChildAt(1).performClick();
        confirm();
        assertEquals("lawn 2/2, mug 4/4", classes());
        assertFalse(Screens.engine().teaching().picture(features).exists());
        assertEquals(2, ((ViewGroup) card(0).findViewById(R.id.pictures)).getChildCount());
    }

    @Test
    public void classesAreRenamedMergedAndForgotten() throws Exception {
        teachTwo();
        Screens.teach("cup", 0xffc80a14, 0xffaa2828);
        rename(card(1), " Lawn ");
        assertEquals("Lawn", state().classes().get(0).label());
        rename(card(1), "mug");
        assertEquals("Lawn 3/3, mug 6/6", classes());
        rename(card(0), "two\nlines");
        assertError(R.string.error_teach_name);
        assertEquals("Lawn 3/3, mug 6/6", classes());
        card(0).findViewById(R.id.class_delete).performClick();
        confirm();
        assertEquals("mug -1/6", classes());
        screen().findViewById(R.id.forget).performClick();
        confirm();
        assertEquals("", classes());
        assertEquals(0, state().bytes());
        assertFalse(Screens.shown(screen(), R.id.taught));
    }

    @Test
    public void everythingSurvivesTheEndOfTheProcess() throws Exception {
        List<String> seen = new ArrayList<>();
        teachTwo();
        String[] steps = {"remove", "rename", "delete", "add"};
        for (String step : steps) {
            AppState.TaughtClass first = state().classes().get(0);
            switch (step) {
                case "remove":
                    Screens.engine().teaching().remove(first.label(), first.photographs().get(0));
                    break;
                case "rename":
                    Screens.engine().teaching().rename(first.label(), "Wiese");
                    break;
                case "delete":
                    Screens.engine().teaching().delete("mug");
                    break;
                default:
                    Screens.teach("cup", REDS);
            }
            Screens.settle();
            String before = classes() + " " + state().bytes();
            ((DemoApp) Screens.context()).endProcess();
            Screens.settle();
            assertEquals(step, before, classes() + " " + state().bytes());
            seen.add(before);
        }
        assertEquals(4, new java.util.HashSet<>(seen).size());
        for (AppState.TaughtClass one : state().classes()) {
            for (short[] features : one.photographs()) {
                assertTrue(Screens.engine().teaching().picture(features).exists());
            }
        }
    }

    @Test
    public void aCorrectionMovesThePhotograph() throws Exception {
        teachTwo();
        Screens.teach("lawn", 0xffd23232);
        assertEquals(4, state().classes().get(0).photographs().size());
        controller.close();
        controller = Robolectric.buildActivity(MainActivity.class).setup();
        Screens.engine().photos().classify(Screens.offer("r.jpg", Screens.photo(0xffd23232)));
        Screens.settle();
        screen().findViewById(R.id.correct).performClick();
        shadowOf(dialog()).clickOnItem(1);
        Screens.settle();
        assertEquals("lawn 3/3, mug 5/5", classes());
        assertTrue(Screens.text(screen(), R.id.summary).startsWith("mug, "));
        screen().findViewById(R.id.correct).performClick();
        shadowOf(dialog()).clickOnItem(2);
        ((TextView) dialog().findViewById(R.id.name)).setText("cup");
        confirm();
        assertEquals(1, state().classes().get(0).photographs().size());
        assertEquals(4, state().classes().get(2).photographs().size());
    }

    @Test
    public void showsWhereTheModelLooked() throws Exception {
        controller.close();
        controller = Robolectric.buildActivity(MainActivity.class).setup();
        assertFalse(Screens.shown(screen(), R.id.map));
        Screens.engine().photos().classify(Screens.offer("r.jpg", Screens.photo(Screens.RED)));
        Screens.settle();
        PhotoView photo = screen().findViewById(R.id.photo);
        assertNull(photo.map());
        screen().findViewById(R.id.map).performClick();
        assertEquals(state().possible(), photo.map() != null);
        assertEquals(15, photo.map().getWidth());
        Screens.draw(screen());
        assertTrue(new Preferences(screen()).map());
    }

    @Test
    public void aNameIsNeeded() throws Exception {
        screen().findViewById(R.id.choose).performClick();
        assertError(R.string.error_teach_name);
        assertNull(shadowOf(screen()).getNextStartedActivity());
        screen().findViewById(R.id.error_action).performClick();
        assertFalse(Screens.shown(screen(), R.id.error));
    }

    @Test
    public void aPhotographThatCannotBeReadDoesNotStopTheOthers() throws Exception {
        List<Uri> uris = new ArrayList<>();
        uris.add(Screens.offer("text.jpg", new byte[100]));
        uris.add(Screens.offer("red.jpg", Screens.photo(Screens.RED)));
        Screens.engine().teaching().add("mug", uris);
        Screens.settle();
        Screens.settle();
        assertEquals("mug -1/1", classes());
        assertError(R.string.error_not_an_image);
    }

    @Test
    public void theSamePhotographCountsOnce() throws Exception {
        Screens.teach("mug", Screens.RED, Screens.RED, Screens.RED);
        Screens.teach("cup", Screens.RED);
        assertEquals("cup 0/1, mug 0/1", classes());
    }

    @Test
    public void limitsAreKept() throws Exception {
        for (int i = 0; i <= TeachSession.MAX_CLASSES; i++) {
            short[] features = new short[8];
            features[i % 8] = (short) (100 + i);
            Screens.engine().teaching().add("class " + i, new Result(null, "", 0, 0, 0, 0, 0, null,
                    null, new Result.Example(features, new byte[1])));
        }
        Screens.settle();
        assertEquals(TeachSession.MAX_CLASSES, state().classes().size());
        assertError(R.string.error_teach_full, TeachSession.MAX_CLASSES, TeachSession.MAX_PHOTOGRAPHS);
    }

    @Test
    public void anotherModelHasAnotherHead() throws Exception {
        teachTwo();
        Screens.useModel("colours_float.tflite");
        assertEquals("", classes());
        Screens.useModel(MODEL);
        assertEquals("lawn 3/3, mug 4/4", classes());
    }

    @Test
    public void aDamagedFileIsSetAside() throws Exception {
        Screens.teach("mug", REDS);
        File folder = Screens.engine().teaching()
                .picture(state().classes().get(0).photographs().get(0)).getParentFile();
        Files.write(new File(folder, "taught.head").toPath(), new byte[100]);
        Screens.useModel("colours_float.tflite");
        Screens.useModel(MODEL);
        assertEquals("", classes());
        assertError(R.string.error_teach_damaged);
        Screens.teach("mug", REDS);
        assertEquals("mug -1/4", classes());
    }

    @Test
    public void aModelOfAnotherShapeSaysThatItCannotBeTaught() throws Exception {
        Screens.useModel("fails_when_bright.tflite");
        assertFalse(state().possible());
        assertEquals(screen().getString(R.string.teach_not), Screens.text(screen(), R.id.hint));
        assertFalse(Screens.shown(screen(), R.id.new_class));
    }

    @Test
    public void aTeachableFileIsOpenedAndSharesTheHead() throws Exception {
        teachTwo();
        byte[] plain = Resources.model(MODEL);
        byte[] teachable = LastLayer.find(ByteBuffer.wrap(plain)).teachable();
        Screens.engine().models().open(Screens.offer("teachable.tflite", teachable));
        Screens.settle();
        assertNull(Screens.engine().state().models().failure());
        assertEquals("lawn 3/3, mug 4/4", classes());
    }

    private byte[] shared(String name) throws Exception {
        boolean head = name.equals(PhotoProvider.HEAD);
        screen().findViewById(head ? R.id.share_head : R.id.share_model).performClick();
        if (!head) {
            shareAs(name);
        }
        Screens.settle();
        Intent chooser = shadowOf(screen()).getNextStartedActivity();
        Intent send = chooser.getParcelableExtra(Intent.EXTRA_INTENT);
        assertTrue((send.getFlags() & Intent.FLAG_GRANT_READ_URI_PERMISSION) != 0);
        Uri address = send.getParcelableExtra(Intent.EXTRA_STREAM);
        assertEquals(name, address.getLastPathSegment());
        assertEquals("application/octet-stream", Screens.context().getContentResolver().getType(address));
        PhotoProvider provider = Robolectric.setupContentProvider(PhotoProvider.class);
        try {
            provider.openFile(address, "rw");
            fail("another app could change it");
        } catch (FileNotFoundException e) {
            assertTrue(e.getMessage().contains("no such file"));
        }
        try (InputStream in = new android.os.ParcelFileDescriptor.AutoCloseInputStream(
                provider.openFile(address, "r"))) {
            return in.readAllBytes();
        }
    }

    /** Chooses one of the two files that a model can be. */
    private void shareAs(String name) {
        List<?> choices = List.of(shadowOf(dialog()).getItems());
        assertEquals(List.of("taught.sqz", "taught.tflite"), choices);
        shadowOf(dialog()).clickOnItem(choices.indexOf(name));
    }

    @Test
    public void whatWasTaughtIsShared() throws Exception {
        teachTwo();
        Head head = HeadFile.read(shared(PhotoProvider.HEAD));
        assertEquals(4, head.count("mug"));
        byte[] model = shared(PhotoProvider.MODEL);
        assertArrayEquals(Export.export(Resources.model(MODEL), head), model);
        byte[] archive = shared(PhotoProvider.ARCHIVE);
        assertTrue(archive.length < model.length);
        assertArrayEquals(model, SqzDecoder.decode(archive, SqzDecoder.DEFAULT_LIMIT, null));
        Screens.engine().models().open(Screens.offer("taught.tflite", model));
        Screens.settle();
        assertEquals(List.of("lawn", "mug"),
                Screens.engine().state().models().current().file().labels());
        Screens.engine().photos().classify(Screens.offer("r.jpg", Screens.photo(REDS[3])));
        Screens.settle();
        assertEquals("mug", Screens.engine().state().photo().result().best().get(0).label());
    }

    @Test
    public void aModelThatCannotBeExportedSaysWhy() throws Exception {
        Screens.useModel("sigmoid.tflite");
        teachTwo();
        screen().findViewById(R.id.share_model).performClick();
        shareAs(PhotoProvider.ARCHIVE);
        Screens.settle();
        assertError(R.string.error_teach_export,
                "the model cannot be taught: it ends in a sigmoid: only a softmax can be taught");
        assertNull(shadowOf(screen()).getNextStartedActivity());
    }

    @Test
    public void aBurstOfFramesIsTaught() throws Exception {
        ((TextView) screen().findViewById(R.id.name)).setText("mug");
        screen().findViewById(R.id.live).performClick();
        Intent started = shadowOf(screen()).getNextStartedActivity();
        controller.close();
        ActivityController<LiveActivity> live =
                Robolectric.buildActivity(LiveActivity.class, started).setup();
        controller = live;
        assertTrue(Screens.shown(screen(), R.id.teach));
        assertSame(ModelRunner.Purpose.NEXT_FRAME, live.get().purpose());
        screen().findViewById(R.id.teach).performClick();
        int taught = 0;
        for (int frame = 0; frame < 20; frame++) {
            boolean wanted = live.get().purpose() == ModelRunner.Purpose.EXAMPLE;
            short[] features = {(short) frame, 1, 2, 3, 4, 5, 6, 7};
            live.get().show(new Result(ScreenshotTest.result().best(), "", 0, 0, 0, 0, 1, null, null,
                    wanted ? new Result.Example(features, new byte[1]) : null));
            taught += wanted ? 1 : 0;
        }
        Screens.settle();
        assertEquals(LiveActivity.BURST, taught);
        assertEquals("mug -1/5", classes());
        assertEquals(screen().getString(R.string.live_teach, "mug", 5),
                Screens.text(screen(), R.id.teach));
        assertNotNull(screen().findViewById(R.id.map));
    }
}
