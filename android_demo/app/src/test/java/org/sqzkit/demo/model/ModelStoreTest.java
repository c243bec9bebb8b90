package org.sqzkit.demo.model;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import android.content.Context;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.R;
import org.sqzkit.demo.Trouble;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

/** Files of models: taken in, expanded once, kept whole. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class ModelStoreTest {
    private final Context context = RuntimeEnvironment.getApplication();
    private final ModelStore store = new ModelStore(context);
    private final List<Long> progress = new ArrayList<>();

    private OpenModel add(String name, byte[] content) throws Exception {
        WholeFile.copy(new ByteArrayInputStream(content), store.incoming(), ModelStore.MOST_BYTES);
        return store.addIncoming(name, (done, total) -> progress.add(done), model -> { });
    }

    private int added() throws IOException {
        int count = 0;
        for (ModelEntry entry : store.list()) {
            count += entry.bundled() ? 0 : 1;
        }
        return count;
    }

    private File[] expanded() {
        return new File(context.getCacheDir(), "expanded").listFiles();
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] out = new byte[buffer.capacity()];
        ByteBuffer whole = buffer.duplicate();
        whole.rewind();
        whole.get(out);
        return out;
    }

    @Test
    public void anArchiveGivesTheVeryModelThatWasPacked() throws Exception {
        OpenModel model = add("colours.tflite.sqz", Resources.model("colours_int8.sqz"));
        assertArrayEquals(Resources.model("colours_int8.tflite"), bytes(model.content()));
        assertEquals("colours.tflite.sqz", model.entry().fileName());
        assertTrue(model.entry().archive());
        assertEquals(Resources.model("colours_int8.sqz").length, model.entry().bytes());
        assertEquals(bytes(model.content()).length, (long) progress.get(progress.size() - 1));
    }

    @Test
    public void anArchiveIsExpandedOnceAndCheckedAtEachOpening() throws Exception {
        ModelEntry entry = add("colours.sqz", Resources.model("colours_int8.sqz")).entry();
        assertEquals(1, expanded().length);
        progress.clear();
        store.open(entry, (done, total) -> progress.add(done));
        assertTrue("expanded again", progress.isEmpty());
        byte[] changed = Files.readAllBytes(expanded()[0].toPath());
        changed[changed.length / 2] ^= 1;
        Files.write(expanded()[0].toPath(), changed);
        OpenModel again = store.open(entry, (done, total) -> progress.add(done));
        assertFalse("a changed file was used", progress.isEmpty());
        assertArrayEquals(Resources.model("colours_int8.tflite"), bytes(again.content()));
        assertEquals(1, expanded().length);
    }

    @Test
    public void damagedArchivesLeaveNothingBehind() throws Exception {
        byte[] whole = Resources.model("colours_int8.sqz");
        for (int i = 0; i < whole.length; i += 37) {
            byte[] damaged = whole.clone();
            damaged[i] ^= 0x20;
            try {
                add("damaged.sqz", damaged);
                fail("accepted with byte " + i + " changed");
            } catch (Trouble e) {
                assertTrue(e.resource() == R.string.trouble_archive
                        || i < 4 && e.resource() == R.string.trouble_not_a_model);
            }
        }
        assertEquals(0, added());
        assertEquals(0, expanded() == null ? 0 : expanded().length);
        assertFalse(store.incoming().exists());
    }

    @Test
    public void anArchiveOfSomethingElseIsNoModel() throws Exception {
        try {
            add("text.sqz", Resources.model("text.sqz"));
            fail("accepted");
        } catch (Trouble e) {
            assertEquals(R.string.trouble_not_a_model, e.resource());
        }
    }

    @Test
    public void aFileThatBreaksOffIsNeverHalfStored() throws Exception {
        InputStream breaking = new InputStream() {
            private int left = 1000;

            @Override
            public int read() throws IOException {
                if (left-- <= 0) {
                    throw new IOException("the other app went away");
                }
                return 7;
            }
        };
        try {
            WholeFile.copy(breaking, store.incoming(), ModelStore.MOST_BYTES);
            fail("stored");
        } catch (IOException e) {
            assertEquals(0, store.incoming().getParentFile().list().length);
        }
    }

    @Test
    public void filesLargerThanTheMostAreRefusedWhileTheyCome() throws Exception {
        try {
            WholeFile.copy(new ByteArrayInputStream(new byte[5000]), store.incoming(), 4999);
            fail("stored");
        } catch (Trouble e) {
            assertEquals(R.string.trouble_file_too_large, e.resource());
            assertEquals(0, store.incoming().getParentFile().list().length);
        }
    }

    @Test
    public void whatADeadProcessLeftIsRemoved() throws Exception {
        File part = new File(context.getFilesDir(), "models/in-123.part");
        part.getParentFile().mkdirs();
        Files.write(part.toPath(), new byte[10]);
        new ModelStore(context);
        assertFalse(part.exists());
    }

    @Test
    public void namesNeverLeaveTheFolderAndNeverCollide() throws Exception {
        byte[] model = Resources.model("colours_int8.tflite");
        assertEquals("_.._etc_passwd.tflite", add("../../etc/passwd", model).entry().fileName()
                .replaceAll("^_\\.\\._\\.\\._", "_.._"));
        assertEquals("a.tflite", add("a.tflite", model).entry().fileName());
        assertEquals("a 2.tflite", add("a.tflite", model).entry().fileName());
        assertEquals("model.tflite", add(".tflite", model).entry().fileName());
        assertEquals(4, added());
    }

    @Test
    public void modelsInTheApkAreMapped() throws Exception {
        ModelEntry entry = store.list().get(0);
        assertTrue(entry.bundled());
        OpenModel model = store.open(entry, (done, total) -> { });
        assertTrue(model.content().isDirect());
        assertEquals(64, model.sha256().length());
        store.remove(entry);
        assertEquals(entry, store.list().get(0));
    }
}
