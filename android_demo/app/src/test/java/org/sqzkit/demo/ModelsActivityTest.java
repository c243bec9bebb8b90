package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.Intent;
import android.net.Uri;
import android.widget.LinearLayout;
import android.widget.ProgressBar;
import android.widget.RadioButton;
import android.widget.RadioGroup;
import android.widget.Spinner;
import android.widget.Switch;
import android.widget.TextView;
import java.io.File;
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
import org.robolectric.shadows.ShadowAlertDialog;
import org.sqzkit.demo.model.Additions;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.model.ModelFile;
import org.sqzkit.demo.model.RunOptions;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

/** Models: chosen, opened, described, deleted; and everything that can be wrong with them. */
@RunWith(PhoneTestRunner.class)
public class ModelsActivityTest {
    private ActivityController<ModelsActivity> controller;

    @Before
    public void open() throws Exception {
        Screens.useModel("colours_int8.tflite");
        controller = Robolectric.buildActivity(ModelsActivity.class).setup();
        Screens.settle();
    }

    @After
    public void close() {
        controller.close();
        Screens.engine().close();
    }

    private ModelsActivity screen() {
        return controller.get();
    }

    private void openFile(String name, byte[] content) throws Exception {
        screen().findViewById(R.id.open).performClick();
        Intent asked = shadowOf(screen()).getNextStartedActivityForResult().intent;
        assertEquals(Intent.ACTION_OPEN_DOCUMENT, asked.getAction());
        shadowOf(screen()).receiveResult(
                asked, Activity.RESULT_OK, new Intent().setData(Screens.offer(name, content)));
        Screens.settle();
    }

    private void assertRefused(String name, byte[] content, int reason, Object... arguments)
            throws Exception {
        int before = Screens.engine().state().models().entries().size();
        openFile(name, content);
        assertTrue(Screens.shown(screen(), R.id.error));
        String text = Screens.text(screen(), R.id.error_text);
        assertEquals(screen().getString(R.string.error_model_former,
                screen().getString(reason, arguments), "Colours"), text);
        assertEquals(screen().getString(R.string.error_model_title, name),
                Screens.text(screen(), R.id.error_title));
        assertEquals("Colours", Screens.engine().state().models().current().title());
        assertEquals(before, Screens.engine().state().models().entries().size());
        assertFalse(Screens.shown(screen(), R.id.progress));
    }

    private String card() {
        StringBuilder card = new StringBuilder();
        LinearLayout lines = screen().findViewById(R.id.card);
        for (int i = 0; i < lines.getChildCount(); i++) {
            card.append(((TextView) lines.getChildAt(i).findViewById(R.id.card_heading)).getText())
                    .append(": ")
                    .append(((TextView) lines.getChildAt(i).findViewById(R.id.card_value)).getText())
                    .append('\n');
        }
        return card.toString();
    }

    @Test
    public void theCardSaysWhatTheModelIs() {
        String text = card();
        assertTrue(text, text.contains("Architecture: Colours"));
        assertTrue(text, text.contains("Size of the .tflite model: 4.3 KB"));
        assertTrue(text, text.contains("Input: 32×32 pixels, int8"));
        assertTrue(text, text.contains("Weights: int8, per channel"));
        assertTrue(text, text.contains("Shorter side resized to 36 pixels"));
        assertTrue(text, text.contains("License: Apache-2.0"));
        assertTrue(text, text.contains("Opened on this phone (colours_int8.tflite)"));
    }

    private void pick(int button, String name, byte[] content) throws Exception {
        screen().findViewById(button).performClick();
        Intent asked = shadowOf(screen()).getNextStartedActivityForResult().intent;
        assertEquals("text/*", asked.getType());
        shadowOf(screen()).receiveResult(
                asked, Activity.RESULT_OK, new Intent().setData(Screens.offer(name, content)));
        Screens.settle();
    }

    @Test
    public void whatTheFileLacksCanBeAdded() throws Exception {
        assertFalse(Screens.shown(screen(), R.id.add_labels));
        assertFalse(Screens.shown(screen(), R.id.set_normalization));
        openFile("bare_float.tflite", Resources.model("bare_float.tflite"));
        String guessed = screen().getString(R.string.card_normalization_guessed);
        assertTrue(card(), card().contains(guessed));
        pick(R.id.add_labels, "two.txt", "a\nb\n".getBytes("UTF-8"));
        assertEquals(screen().getString(R.string.error_model_former,
                screen().getString(R.string.error_labels_added, 2, 3),
                Screens.engine().state().models().current().title()),
                Screens.text(screen(), R.id.error_text));
        pick(R.id.add_labels, "three.txt", "rot\ngrün\nblau\n".getBytes("UTF-8"));
        assertFalse(Screens.shown(screen(), R.id.error));
        screen().findViewById(R.id.set_normalization).performClick();
        shadowOf((AlertDialog) ShadowAlertDialog.getLatestDialog()).clickOnItem(1);
        Screens.settle();
        assertFalse(card(), card().contains(guessed));
        assertTrue(card(), card().contains("Numbers from 0 to 1"));
        ((DemoApp) Screens.context()).endProcess();
        Screens.settle();
        ModelFile file = Screens.engine().state().models().current().file();
        assertEquals(Arrays.asList("rot", "grün", "blau"), file.labels());
        assertEquals(Additions.Choice.ZERO_TO_ONE, file.choice());
        File models = new File(Screens.context().getFilesDir(), "models");
        assertEquals(0, models.list((folder, name) -> name.endsWith(".part")).length);
        File additions = new File(Screens.context().getFilesDir(), "additions");
        assertEquals(2, additions.list().length);
        ModelEntry entry = Screens.engine().state().models().current().entry();
        Screens.engine().models().remove(entry);
        Screens.settle();
        assertEquals(0, additions.list().length);
    }

    /** The features that were taught come from numbers that another normalization would change. */
    @Test
    public void whatIsTaughtKeepsItsNormalization() throws Exception {
        openFile("bare_float.tflite", Resources.model("bare_float.tflite"));
        assertTrue(Screens.shown(screen(), R.id.set_normalization));
        Screens.engine().store().updateTeaching(teaching -> new AppState.Teaching(true,
                Arrays.asList(new AppState.TaughtClass("mug", new ArrayList<>(), -1)), 0, null, null, 0));
        assertFalse(Screens.shown(screen(), R.id.set_normalization));
        assertTrue(Screens.shown(screen(), R.id.add_labels));
    }

    @Test
    public void opensChangesAndDeletesModels() throws Exception {
        openFile("foreign.tflite", Resources.model("foreign.tflite"));
        assertEquals("Elsewhere", Screens.engine().state().models().current().title());
        RadioGroup entries = screen().findViewById(R.id.entries);
        RadioButton colours = null;
        for (int i = 0; i < entries.getChildCount(); i++) {
            RadioButton entry = (RadioButton) entries.getChildAt(i);
            assertEquals(entry.getText().toString().startsWith("foreign"), entry.isChecked());
            colours = entry.getText().toString().startsWith("colours") ? entry : colours;
        }
        colours.performClick();
        Screens.settle();
        assertEquals("Colours", Screens.engine().state().models().current().title());
        int before = Screens.engine().state().models().entries().size();
        screen().findViewById(R.id.remove).performClick();
        answer(AlertDialog.BUTTON_NEGATIVE);
        assertEquals(before, Screens.engine().state().models().entries().size());
        screen().findViewById(R.id.remove).performClick();
        answer(AlertDialog.BUTTON_POSITIVE);
        assertEquals(before - 1, Screens.engine().state().models().entries().size());
        assertTrue(Screens.engine().state().models().current().entry().bundled());
        assertFalse(Screens.shown(screen(), R.id.remove));
    }

    @Test
    public void anUpdateIsUsedAndOneTapGoesBack() throws Exception {
        openFile("colours_uint8.tflite.update.sqz", Resources.model("colours_uint8.update.sqz"));
        assertEquals("colours_uint8.tflite", used());
        RadioGroup entries = screen().findViewById(R.id.entries);
        for (int i = 0; i < entries.getChildCount(); i++) {
            RadioButton entry = (RadioButton) entries.getChildAt(i);
            if (entry.getText().toString().startsWith("colours_int8")) {
                entry.performClick();
                break;
            }
        }
        Screens.settle();
        assertEquals("colours_int8.tflite", used());
    }

    private static String used() {
        return Screens.engine().state().models().current().entry().fileName();
    }

    private void answer(int button) throws Exception {
        AlertDialog dialog = ShadowAlertDialog.getLatestAlertDialog();
        assertTrue(shadowOf(dialog).getMessage().toString().contains("colours_int8.tflite"));
        dialog.getButton(button).performClick();
        Screens.settle();
    }

    @Test
    public void theChoiceOutlivesTheProcess() throws Exception {
        openFile("foreign.tflite", Resources.model("foreign.tflite"));
        controller.pause().stop().destroy();
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
        controller = Robolectric.buildActivity(ModelsActivity.class).setup();
        Screens.settle();
        assertEquals("Elsewhere", Screens.engine().state().models().current().title());
    }

    @Test
    public void everyUnusableFileIsRefusedWithItsReason() throws Exception {
        assertRefused("notes.txt", "no model".getBytes(), R.string.error_not_a_model);
        assertRefused("empty.tflite", new byte[0], R.string.error_not_a_model);
        assertRefused("four_labels.tflite", Resources.model("four_labels.tflite"),
                R.string.error_label_count, 4, 3);
        assertRefused("custom_operator.tflite", Resources.model("custom_operator.tflite"),
                R.string.error_operator, "FancyConvolution");
        assertRefused("newer_operator.tflite", Resources.model("newer_operator.tflite"),
                R.string.error_operator_version, "CONV_2D", "99");
        assertRefused("two_outputs.tflite", Resources.model("two_outputs.tflite"),
                R.string.error_outputs, 2);
        assertRefused("grey_input.tflite", Resources.model("grey_input.tflite"),
                R.string.error_input_shape, "1×32×32×1");
        assertRefused("two_inputs.tflite", Resources.model("two_inputs.tflite"),
                R.string.error_inputs, 2);
        assertRefused("int64_input.tflite", Resources.model("int64_input.tflite"),
                R.string.error_type, "int64");
        assertRefused("int32_output.tflite", Resources.model("int32_output.tflite"),
                R.string.error_type, "int32");
        assertRefused("column_output.tflite", Resources.model("column_output.tflite"),
                R.string.error_output_shape, "3×1");
        assertRefused("odd_record.tflite", Resources.model("odd_record.tflite"),
                R.string.error_preprocessing);
        assertRefused("no_names.tflite", Resources.model("no_names.tflite"),
                R.string.error_labels_missing, "names.txt");
        assertRefused("no_deviation.tflite", Resources.model("no_deviation.tflite"),
                R.string.error_normalization);
        byte[] half = java.util.Arrays.copyOf(Resources.model("colours_float.tflite"), 1500);
        assertRefused("half.tflite", half, R.string.error_damaged_model);
        assertEquals(0, leftovers());
    }

    @Test
    public void archivesThatCannotBeExpandedAreRefusedWithTheReason() throws Exception {
        byte[] archive = Resources.model("colours_int8.sqz");
        byte[] damaged = archive.clone();
        damaged[archive.length / 2] ^= 1;
        assertRefused("damaged.sqz", damaged, R.string.error_archive,
                "the archive is damaged or cut off (CRC-32)");
        byte[] newer = archive.clone();
        newer[4] = 9;
        assertRefused("newer.sqz", newer, R.string.error_archive,
                "archive of version 9, newer than version 1 read here: update the app");
        byte[] huge = archive.clone();
        java.util.Arrays.fill(huge, 8, 14, (byte) 0xff);
        assertRefused("huge.sqz", huge, R.string.error_archive_too_large);
        assertEquals(0, leftovers());
    }

    @Test
    public void anArchiveIsExpandedWithProgressAndThenShown() throws Exception {
        List<Integer> seen = new ArrayList<>();
        Screens.engine().store().listen(() -> {
            if (Screens.engine().state().models().percent() >= 0) {
                seen.add(((ProgressBar) screen().findViewById(R.id.progress_bar)).getProgress());
            }
        });
        openFile("colours.sqz", Resources.model("colours_int8.sqz"));
        assertEquals(100, (int) seen.get(seen.size() - 1));
        assertFalse(Screens.shown(screen(), R.id.progress));
        assertFalse(Screens.shown(screen(), R.id.error));
        assertTrue(card(), card().contains("Size of the .sqz archive: 1.6 KB"));
        assertTrue(card(), card().contains("Size of the .tflite model: 4.3 KB"));
        assertTrue(card(), card().contains("Opened on this phone (colours.sqz)"));
    }

    @Test
    public void aModelThatTensorFlowLiteCannotRunIsRefusedWithWhatItSays() throws Exception {
        openFile("misfit_kernel.tflite", Resources.model("misfit_kernel.tflite"));
        String start = screen().getString(R.string.error_does_not_run, "");
        String text = Screens.text(screen(), R.id.error_text);
        assertTrue(text, text.startsWith(start) && text.length() > start.length() + 20);
        assertEquals("Colours", Screens.engine().state().models().current().title());
    }

    @Test
    public void filesLargerThanTheMostAreRefused() throws Exception {
        Uri uri = Uri.parse("content://other.app/endless.tflite");
        shadowOf(Screens.context().getContentResolver()).registerInputStreamSupplier(
                uri, MainActivityTest.Endless::new);
        Screens.engine().models().open(uri);
        Screens.settle();
        assertTrue(Screens.text(screen(), R.id.error_text)
                .startsWith(screen().getString(R.string.error_file_too_large, 256)));
        assertEquals(0, leftovers());
    }

    @Test
    public void aModelThatVanishedLeavesTheFormerOne() throws Exception {
        openFile("foreign.tflite", Resources.model("foreign.tflite"));
        ModelEntry gone = Screens.engine().state().models().entries().stream()
                .filter(entry -> entry.fileName().startsWith("colours")).findFirst().get();
        assertTrue(new File(Screens.context().getFilesDir(), "models/" + gone.fileName()).delete());
        Screens.engine().models().choose(gone);
        Screens.settle();
        String start = screen().getString(R.string.error_model_unreadable, "");
        assertTrue(Screens.text(screen(), R.id.error_text).startsWith(start));
        assertEquals("Elsewhere", Screens.engine().state().models().current().title());
        screen().findViewById(R.id.error_action).performClick();
        assertFalse(Screens.shown(screen(), R.id.error));
    }

    @Test
    public void saysWhenTheFileIsGone() throws Exception {
        Screens.engine().models().open(android.net.Uri.parse("content://nobody.here/model.tflite"));
        Screens.settle();
        assertTrue(Screens.text(screen(), R.id.error_text)
                .startsWith(screen().getString(R.string.error_unreadable)));
    }

    private static int leftovers() {
        return new File(Screens.context().getFilesDir(), "models")
                .listFiles((folder, name) -> !name.endsWith(".tflite")).length;
    }

    @Test
    public void offersOnlyThreadsThatTheDeviceHas() throws Exception {
        Spinner threads = screen().findViewById(R.id.threads);
        assertEquals(RunOptions.maxThreads(), threads.getCount());
        threads.setSelection(0);
        ((Switch) screen().findViewById(R.id.xnnpack)).setChecked(false);
        Screens.settle();
        assertEquals(new RunOptions(1, false), Screens.engine().state().options());
        controller.pause().stop().destroy();
        ((DemoApp) RuntimeEnvironment.getApplication()).endProcess();
        controller = Robolectric.buildActivity(ModelsActivity.class).setup();
        Screens.settle();
        assertEquals(new RunOptions(1, false), Screens.engine().state().options());
        assertFalse(((Switch) screen().findViewById(R.id.xnnpack)).isChecked());
    }
}
