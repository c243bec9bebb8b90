package org.sqzkit.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.app.Activity;
import android.view.View;
import android.widget.GridLayout;
import android.widget.Spinner;
import android.widget.Switch;
import android.widget.TextView;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.sqzkit.demo.model.ModelEntry;
import org.sqzkit.demo.phone.PhoneTestRunner;

/** Columns for each width of the window, and what stays when it changes: turns, folds, halves. */
@RunWith(PhoneTestRunner.class)
public class LayoutsTest {
    private static final String LYING = "+w891dp-h411dp-land";
    /** A phone turned and back, unfolded, a tablet, a quarter of it, and a phone's whole screen again. */
    private static final String[] WINDOWS = {"+w411dp-h891dp-port", LYING, "+w673dp-h841dp-port",
        "+w1280dp-h800dp-land", "+w320dp-h480dp-port", "+w411dp-h891dp-port"};

    private ActivityController<? extends Activity> controller;

    @Before
    public void haveAnAnswer() throws Exception {
        Screens.useModel("colours_float.tflite");
        ModelEntry other = Screens.engine().state().models().current().entry();
        Screens.useModel("colours_int8.tflite");
        Screens.engine().lab().setSecond(other);
        for (int color : new int[] {Screens.RED, Screens.GREEN, Screens.BLUE}) {
            Screens.engine().photos().classify(Screens.offer(color + ".jpg", Screens.photo(color)));
            Screens.settle();
        }
    }

    @After
    public void close() {
        controller.close();
        Screens.engine().close();
    }

    private void open(Class<? extends Activity> type) throws Exception {
        RuntimeEnvironment.setQualifiers(WINDOWS[0]);
        controller = Robolectric.buildActivity(type).setup();
        Screens.settle();
    }

    /** The system destroys the activity and makes it anew. */
    private void resize(String window) throws Exception {
        RuntimeEnvironment.setQualifiers(window);
        controller.configurationChange(
                RuntimeEnvironment.getApplication().getResources().getConfiguration());
        Screens.settle();
        layOut();
    }

    private void layOut() {
        View decor = controller.get().getWindow().getDecorView();
        float density = controller.get().getResources().getDisplayMetrics().density;
        int height = controller.get().getResources().getConfiguration().screenHeightDp;
        int width = controller.get().getResources().getConfiguration().screenWidthDp;
        decor.measure(View.MeasureSpec.makeMeasureSpec(Math.round(width * density), View.MeasureSpec.EXACTLY),
                View.MeasureSpec.makeMeasureSpec(Math.round(height * density), View.MeasureSpec.EXACTLY));
        decor.layout(0, 0, decor.getMeasuredWidth(), decor.getMeasuredHeight());
    }

    /** How many of the first children of a grid stand in its first line, all of one width. */
    private int columns(int id) {
        GridLayout grid = controller.get().findViewById(id);
        int count = 0;
        for (int i = 0; i < grid.getChildCount() && grid.getChildAt(i).getTop() == grid.getChildAt(0).getTop(); i++) {
            assertEquals(grid.getChildAt(0).getWidth(), grid.getChildAt(i).getWidth(), 20);
            assertTrue(grid.getChildAt(i).getRight() <= grid.getWidth());
            count++;
        }
        return count;
    }

    private void check(Class<? extends Activity> type, int grid, int... expected) throws Exception {
        open(type);
        for (int i = 0; i < WINDOWS.length; i++) {
            resize(WINDOWS[i]);
            assertEquals(WINDOWS[i], expected[i], columns(grid));
        }
    }

    @Test
    public void models() throws Exception {
        check(ModelsActivity.class, R.id.panes, 1, 2, 2, 2, 1, 1);
        assertTrue("how it runs stands above its 64-digit hash", top(R.id.xnnpack) < top(R.id.card));
    }

    private int top(int id) {
        int top = 0;
        for (View view = controller.get().findViewById(id); view.getId() != R.id.root; view = (View) view.getParent()) {
            top += view.getTop();
        }
        return top;
    }

    @Test
    public void theLaboratoryKeepsTheSecondModel() throws Exception {
        check(LabActivity.class, R.id.panes, 1, 2, 2, 2, 1, 1);
        assertEquals("colours_float.tflite",
                ((Spinner) controller.get().findViewById(R.id.second)).getSelectedItem());
        assertTrue(Screens.shown(controller.get(), R.id.agreement));
    }

    @Test
    public void teachingKeepsTheNameThatWasTyped() throws Exception {
        Screens.teach("mug", Screens.RED, 0xffc83214);
        open(TeachActivity.class);
        ((TextView) controller.get().findViewById(R.id.name)).setText("half a na");
        int[] expected = {1, 2, 2, 2, 1, 1};
        for (int i = 0; i < WINDOWS.length; i++) {
            resize(WINDOWS[i]);
            assertEquals(WINDOWS[i], expected[i], columns(R.id.panes));
        }
        assertEquals("half a na", Screens.text(controller.get(), R.id.name));
    }

    @Test
    public void historyKeepsWhatCanBeBroughtBack() throws Exception {
        open(HistoryActivity.class);
        AppState.History history = Screens.engine().state().history();
        Screens.engine().photos().history().remove(history.answers().get(0));
        int[] expected = {1, 2, 2, 2, 1, 1};
        for (int i = 0; i < WINDOWS.length; i++) {
            resize(WINDOWS[i]);
            assertEquals(WINDOWS[i], expected[i], columns(R.id.answers));
        }
        controller.get().findViewById(R.id.undo).performClick();
        resize(WINDOWS[3]);
        assertEquals(3, columns(R.id.answers));
    }

    /** The answers, of two models too, scroll below the middle: the preview stays to be seen. */
    @Test
    public void theLiveAnswersLeaveThePreviewItsHalf() throws Exception {
        LiveActivityTest.addTwoCameras();
        open(LiveActivity.class);
        for (String window : new String[] {"+w320dp-h640dp-port", "+w891dp-h411dp-land", "+w320dp-h480dp-port"}) {
            resize(window);
            LiveActivity screen = (LiveActivity) controller.get();
            ((Switch) screen.findViewById(R.id.compare)).setChecked(true);
            Screens.settle();
            screen.show(ScreenshotTest.result());
            LabActivity.drawAnswer(screen, screen.findViewById(R.id.second), ScreenshotTest.result());
            layOut();
            View answers = screen.findViewById(R.id.answers);
            assertTrue(window + ": " + answers.getTop(), answers.getTop() >= answers.getRootView().getHeight() / 2);
        }
    }

    /** Twice as large letters need twice as wide columns. */
    @Test
    public void largeLettersGetOneColumn() throws Exception {
        RuntimeEnvironment.setFontScale(2);
        check(ModelsActivity.class, R.id.panes, 1, 1, 1, 2, 1, 1);
    }
}
