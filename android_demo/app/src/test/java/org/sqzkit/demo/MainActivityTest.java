package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.app.Activity;
import android.app.AlertDialog;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.net.Uri;
import android.os.Build;
import android.os.Bundle;
import android.os.Parcel;
import android.os.ParcelFileDescriptor;
import android.provider.MediaStore;
import android.view.View;
import android.view.ViewGroup;
import java.io.FileNotFoundException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.shadows.ShadowActivity;
import org.robolectric.shadows.ShadowAlertDialog;
import org.robolectric.shadows.ShadowToast;
import org.sqzkit.demo.model.Prediction;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

/** Photographs: chosen, taken, shared, sampled; and everything that can be wrong with them. */
@RunWith(PhoneTestRunner.class)
public class MainActivityTest {
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
        controller.close();
        Screens.engine().close();
    }

    private MainActivity screen() {
        return controller.get();
    }

    private String summary() {
        return Screens.shown(screen(), R.id.result) ? Screens.text(screen(), R.id.summary) : "";
    }

    private void assertError(int reason, Object... arguments) {
        assertTrue(Screens.shown(screen(), R.id.error));
        assertEquals(screen().getString(reason, arguments), Screens.text(screen(), R.id.error_text));
    }

    private void choose(String name, byte[] content) throws Exception {
        screen().findViewById(R.id.choose).performClick();
        ShadowActivity.IntentForResult asked = shadowOf(screen()).getNextStartedActivityForResult();
        shadowOf(screen()).receiveResult(
                asked.intent, Activity.RESULT_OK, new Intent().setData(Screens.offer(name, content)));
        Screens.settle();
    }

    @Test
    public void choosesAPhotoWithoutAnyPermission() throws Exception {
        screen().findViewById(R.id.choose).performClick();
        Intent asked = shadowOf(screen()).getNextStartedActivityForResult().intent;
        assertEquals(Build.VERSION.SDK_INT >= 33 ? MediaStore.ACTION_PICK_IMAGES
                : Intent.ACTION_GET_CONTENT, asked.getAction());
        assertEquals("image/*", asked.getType());
        choose("green.jpg", Screens.photo(Screens.GREEN));
        assertTrue(summary(), summary().startsWith("green"));
        assertNotNull(Screens.engine().state().photo().bitmap());
        assertFalse(Screens.shown(screen(), R.id.error));
        assertFalse(Screens.shown(screen(), R.id.hint));
    }

    @Test
    public void classifiesABundledSample() throws Exception {
        assertEquals("none fits these classes", 0, samples().getChildCount());
        Screens.engine().models().choose(Screens.bundled());
        Screens.settle();
        assertTrue(samples().getChildCount() > 0);
        for (int i = 0; i < samples().getChildCount(); i++) {
            String description = samples().getChildAt(i).getContentDescription().toString();
            samples().getChildAt(i).performClick();
            Screens.settle();
            String best = Screens.engine().state().photo().result().best().get(0).label();
            assertTrue(description + ": " + best,
                    description.endsWith(": " + best.split(",")[0]));
        }
    }

    private ViewGroup samples() {
        return screen().findViewById(R.id.samples);
    }

    @Test
    public void leadsToTheOtherScreens() {
        screen().findViewById(R.id.live).performClick();
        assertEquals(LiveActivity.class.getName(),
                shadowOf(screen()).getNextStartedActivity().getComponent().getClassName());
        screen().findViewById(R.id.teach).performClick();
        assertEquals(TeachActivity.class.getName(),
                shadowOf(screen()).getNextStartedActivity().getComponent().getClassName());
        screen().findViewById(R.id.models).performClick();
        assertEquals(ModelsActivity.class.getName(),
                shadowOf(screen()).getNextStartedActivity().getComponent().getClassName());
    }

    @Test
    public void theAnswerIsSaidOnceAndClassesBelowOnePercentNotAtAll() throws Exception {
        show(new float[] {0.9f, 0.06f, 0.012f, 0.009f});
        assertEquals("class 0, 90.0%", summary().toLowerCase(java.util.Locale.ROOT));
        assertEquals(2, rows().getChildCount());
        assertFalse(Screens.shown(screen(), R.id.nothing_else));
        show(new float[] {0.995f, 0.004f});
        assertEquals(0, rows().getChildCount());
        assertTrue(Screens.shown(screen(), R.id.nothing_else));
    }

    private ViewGroup rows() {
        return screen().findViewById(R.id.rows);
    }

    private static void show(float[] probabilities) {
        List<Prediction> best = new ArrayList<>();
        for (float probability : probabilities) {
            best.add(new Prediction(best.size(), null, probability));
        }
        Screens.engine().store().updatePhoto(
                photo -> photo.with(
                        new Result(best, "Colours", 1, 1, 1, 1, 1, null, null, null)));
    }

    @Test
    public void goingBackFromThePickerChangesNothing() throws Exception {
        choose("blue.jpg", Screens.photo(Screens.BLUE));
        screen().findViewById(R.id.choose).performClick();
        Intent asked = shadowOf(screen()).getNextStartedActivityForResult().intent;
        shadowOf(screen()).receiveResult(asked, Activity.RESULT_CANCELED, null);
        Screens.settle();
        assertTrue(summary().startsWith("blue"));
    }

    @Test
    public void takesAPhotoAtFullSizeThroughItsOwnProvider() throws Exception {
        shadowOf(RuntimeEnvironment.getApplication()).grantPermissions(Manifest.permission.CAMERA);
        screen().findViewById(R.id.take).performClick();
        Intent asked = shadowOf(screen()).getNextStartedActivityForResult().intent;
        assertEquals(MediaStore.ACTION_IMAGE_CAPTURE, asked.getAction());
        assertTrue((asked.getFlags() & Intent.FLAG_GRANT_WRITE_URI_PERMISSION) != 0);
        Uri uri = asked.getParcelableExtra(MediaStore.EXTRA_OUTPUT);
        assertEquals(uri, asked.getClipData().getItemAt(0).getUri());
        try (OutputStream out = new android.os.ParcelFileDescriptor.AutoCloseOutputStream(
                provider().openFile(uri, "w"))) {
            out.write(Screens.photo(Screens.RED, 1600, 1200, Bitmap.CompressFormat.JPEG));
        }
        shadowOf(screen()).receiveResult(asked, Activity.RESULT_OK, null);
        Screens.settle();
        assertTrue(summary(), summary().startsWith("red"));
        assertEquals(1600, Screens.engine().state().photo().bitmap().getWidth());
    }

    private static PhotoProvider provider() {
        return Robolectric.setupContentProvider(PhotoProvider.class, "org.sqzkit.demo.photographs");
    }

    @Test(expected = FileNotFoundException.class)
    public void theProviderLendsNoOtherFile() throws Exception {
        provider().openFile(Uri.parse("content://org.sqzkit.demo.photographs/../files/photograph"), "r");
    }

    /** The camera app by itself needs no permission of ours; its photograph is then chosen. */
    @Test
    public void takingNeverAsksForThePermissionAndWorksWithoutIt() throws Exception {
        screen().findViewById(R.id.take).performClick();
        assertNull(shadowOf(screen()).getLastRequestedPermission());
        assertEquals(MediaStore.INTENT_ACTION_STILL_IMAGE_CAMERA,
                shadowOf(screen()).getNextStartedActivity().getAction());
        assertEquals("without waiting for an answer", -1,
                shadowOf(screen()).getNextStartedActivityForResult().requestCode);
        assertEquals(screen().getString(R.string.take_and_choose), ShadowToast.getTextOfLatestToast());
        controller.pause().stop().start().resume();
        answerPicker(Screens.photo(Screens.GREEN));
        assertTrue(summary(), summary().startsWith("green"));
        controller.pause().resume();
        assertNull("asked again", shadowOf(screen()).getNextStartedActivityForResult());
    }

    @Test
    public void takingGoesOnAfterTheEndOfTheProcess() throws Exception {
        screen().findViewById(R.id.take).performClick();
        Bundle saved = new Bundle();
        controller.pause().stop().saveInstanceState(saved).destroy();
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
        controller = Robolectric.buildActivity(MainActivity.class).setup(throughParcel(saved));
        answerPicker(Screens.photo(Screens.RED));
        assertTrue(summary(), summary().startsWith("red"));
    }

    private void answerPicker(byte[] photo) throws Exception {
        Intent asked = shadowOf(screen()).getNextStartedActivityForResult().intent;
        assertEquals("image/*", asked.getType());
        shadowOf(screen()).receiveResult(
                asked, Activity.RESULT_OK, new Intent().setData(Screens.offer("taken.jpg", photo)));
        Screens.settle();
    }

    @Test
    public void saysWhenThereIsNoCameraApp() {
        shadowOf(RuntimeEnvironment.getApplication()).checkActivities(true);
        screen().findViewById(R.id.take).performClick();
        assertError(R.string.error_no_camera_app);
        shadowOf(RuntimeEnvironment.getApplication()).grantPermissions(Manifest.permission.CAMERA);
        screen().findViewById(R.id.error_action).performClick();
        assertFalse("read and put away", Screens.shown(screen(), R.id.error));
        screen().findViewById(R.id.take).performClick();
        assertError(R.string.error_no_camera_app);
        screen().findViewById(R.id.choose).performClick();
        assertError(R.string.error_no_picker);
    }

    @Test
    public void classifiesWhatAnotherAppShares() throws Exception {
        controller.close();
        Uri uri = Screens.offer("shared.jpg", Screens.photo(Screens.BLUE));
        start(new Intent(Intent.ACTION_SEND).setType("image/jpeg").putExtra(Intent.EXTRA_STREAM, uri));
        assertTrue(summary(), summary().startsWith("blue"));
        Uri next = Screens.offer("next.jpg", Screens.photo(Screens.RED));
        controller.newIntent(
                new Intent(Intent.ACTION_SEND).setType("image/jpeg").putExtra(Intent.EXTRA_STREAM, next));
        Screens.settle();
        assertTrue(summary(), summary().startsWith("red"));
    }

    @Test
    public void opensAModelThatAnotherAppShares() throws Exception {
        controller.close();
        Uri uri = Screens.offer("foreign.tflite", Resources.model("foreign.tflite"));
        start(new Intent(Intent.ACTION_VIEW).setDataAndType(uri, "application/octet-stream"));
        ShadowAlertDialog.getLatestAlertDialog().getButton(AlertDialog.BUTTON_POSITIVE).performClick();
        Screens.settle();
        assertEquals("Elsewhere", Screens.engine().state().models().current().title());
        choose("red.jpg", Screens.photo(Screens.RED));
        assertTrue(summary(), summary().startsWith("rot"));
    }

    @Test
    public void saysWhatIsWrongWithAFileThatIsNoImage() throws Exception {
        choose("text.jpg", "no image".getBytes());
        assertError(R.string.error_not_an_image);
        assertEquals("", summary());
        choose("empty.jpg", new byte[0]);
        assertError(R.string.error_not_an_image);
    }

    @Test
    public void saysWhenTheFileIsGone() throws Exception {
        Screens.engine().photos().classify(Uri.parse("content://nobody.here/1"));
        Screens.settle();
        assertError(R.string.error_unreadable);
    }

    @Test
    public void neverOpensFileAddresses() throws Exception {
        Screens.engine().photos().classify(Uri.parse("file:///data/data/org.sqzkit.demo/files/photograph"));
        Screens.settle();
        assertError(R.string.error_unreadable);
    }

    @Test
    public void saysWhenAPhotoIsTooLargeToTakeIn() throws Exception {
        Uri uri = Uri.parse("content://other.app/endless.jpg");
        shadowOf(Screens.context().getContentResolver()).registerInputStreamSupplier(uri, Endless::new);
        Screens.engine().photos().classify(uri);
        Screens.settle();
        assertError(R.string.error_file_too_large, 128);
        assertFalse("nothing of it is kept", Screens.shown(screen(), R.id.photo));
    }

    /** A file that begins as a .tflite does and never ends. */
    static final class Endless extends InputStream {
        private static final byte[] START = {32, 0, 0, 0, 'T', 'F', 'L', '3'};
        private int at;

        @Override
        public int read() {
            return at < START.length ? START[at++] : 0;
        }

        @Override
        public int read(byte[] into, int from, int count) {
            for (int i = 0; i < Math.min(count, START.length); i++) {
                into[from + i] = (byte) read();
            }
            return count;
        }
    }

    @Test
    @Config(sdk = 35)
    public void theAnswerIsSharedAsAPicture() throws Exception {
        assertFalse(Screens.shown(screen(), R.id.share));
        choose("red.png", Screens.photo(Screens.RED, 64, 48, Bitmap.CompressFormat.PNG));
        Screens.draw(screen());
        screen().findViewById(R.id.share).performClick();
        Screens.settle();
        Intent chooser = shadowOf(screen()).getNextStartedActivity();
        Intent send = chooser.getParcelableExtra(Intent.EXTRA_INTENT);
        assertEquals("image/png", send.getType());
        Bitmap picture;
        try (InputStream in = new ParcelFileDescriptor.AutoCloseInputStream(
                provider().openFile(send.getParcelableExtra(Intent.EXTRA_STREAM), "r"))) {
            picture = BitmapFactory.decodeStream(in);
        }
        View photo = screen().findViewById(R.id.frame);
        View hero = screen().findViewById(R.id.hero);
        int gap = screen().getResources().getDimensionPixelSize(R.dimen.page_side);
        assertEquals(photo.getWidth() + 2 * gap, picture.getWidth());
        assertEquals(Screens.RED, picture.getPixel(
                picture.getWidth() / 2, gap + (photo.getHeight() - hero.getHeight()) / 2));
        int inked = 0;
        for (int x = gap; x < gap + hero.getWidth(); x++) {
            for (int y = gap + hero.getTop(); y < gap + photo.getHeight(); y++) {
                inked += picture.getPixel(x, y) == 0xffffffff ? 1 : 0;
            }
        }
        assertTrue("letters: " + inked, inked > 100);
    }

    /** The file of a full disk: nothing can be written in place of a folder. */
    @Test
    public void aPictureThatCannotBeSharedSaysWhyHereAndNotAsTheLaboratorysFault() throws Exception {
        choose("red.jpg", Screens.photo(Screens.RED));
        Screens.draw(screen());
        assertTrue(PhotoProvider.shared(Screens.context(), PhotoProvider.PICTURE + "/taken").mkdirs());
        screen().findViewById(R.id.share).performClick();
        Screens.settle();
        assertError(R.string.error_storage);
        assertNull(Screens.engine().state().lab().error());
        screen().findViewById(R.id.error_action).performClick();
        assertFalse(Screens.shown(screen(), R.id.error));
        Screens.engine().store().updateLab(lab -> lab.with(new AppError(R.string.error_timeout)));
        assertFalse("the laboratory's errors are shown there", Screens.shown(screen(), R.id.error));
    }

    @Test
    public void onePixelIsEnough() throws Exception {
        choose("dot.png", Screens.photo(Screens.GREEN, 1, 1, Bitmap.CompressFormat.PNG));
        assertTrue(summary(), summary().startsWith("green"));
    }

    @Test
    public void rotationKeepsPhotographAndResult() throws Exception {
        choose("blue.jpg", Screens.photo(Screens.BLUE));
        String before = summary();
        RuntimeEnvironment.setQualifiers("+land");
        controller.configurationChange();
        Screens.settle();
        assertEquals(before, summary());
        assertTrue(Screens.shown(screen(), R.id.photo));
    }

    @Test
    public void theEndOfTheProcessKeepsPhotographAndResult() throws Exception {
        choose("blue.jpg", Screens.photo(Screens.BLUE));
        String before = summary();
        String timing = Screens.text(screen(), R.id.timing);
        Bundle saved = new Bundle();
        controller.pause().stop().saveInstanceState(saved).destroy();
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
        controller = Robolectric.buildActivity(MainActivity.class).setup(throughParcel(saved));
        Screens.settle();
        assertEquals(before, summary());
        assertEquals(timing, Screens.text(screen(), R.id.timing));
        assertTrue(Screens.shown(screen(), R.id.photo));
        assertEquals("Colours", Screens.engine().state().models().current().title());
    }

    /** What really survives is what can be written down. */
    private static Bundle throughParcel(Bundle bundle) {
        Parcel parcel = Parcel.obtain();
        parcel.writeBundle(bundle);
        parcel.setDataPosition(0);
        Bundle read = parcel.readBundle(MainActivityTest.class.getClassLoader());
        parcel.recycle();
        return read;
    }

    @Test
    public void timesAreShownWithTheirMedian() throws Exception {
        choose("red.jpg", Screens.photo(Screens.RED));
        assertNull(find("Median"));
        choose("red.jpg", Screens.photo(Screens.RED));
        choose("red.jpg", Screens.photo(Screens.RED));
        assertNotNull(find("Median of 3"));
    }

    private String find(String part) {
        String timing = Screens.text(screen(), R.id.timing);
        return timing.contains(part) ? timing : null;
    }

    @Test
    public void aNewModelClassifiesThePhotographAgain() throws Exception {
        choose("red.jpg", Screens.photo(Screens.RED));
        Screens.useModel("foreign.tflite");
        assertTrue(summary(), summary().startsWith("rot"));
    }
}
