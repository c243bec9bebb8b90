package org.sqzkit.demo.model;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import android.content.Context;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.R;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

/** Files of models: taken in, expanded once, kept whole. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class ModelStoreTest {
    private final Context context = RuntimeEnvironment.getApplication();
    private final ModelStore store = new ModelStore(context);
    private final List<Long> progress = new ArrayList<>();

    private LoadedModel add(String name, byte[] content) throws Exception {
        File incoming = copy(new ByteArrayInputStream(content), ModelStore.MAX_BYTES);
        try {
            store.applyUpdate(incoming, (done, total) -> progress.add(done));
            return store.keep(incoming, store.read(incoming, name, (done, total) -> progress.add(done)));
        } finally {
            incoming.delete();
        }
    }

    private File copy(InputStream in, long maxBytes) throws Exception {
        File incoming = store.newIncoming();
        try {
            AtomicFiles.copy(in, incoming, maxBytes, AtomicFiles.Header.ANY,
                    R.string.error_unreadable, () -> { });
            return incoming;
        } catch (AppError e) {
            incoming.delete();
            throw e;
        }
    }

    private int leftovers() {
        return new File(context.getFilesDir(), "models").list().length;
    }

    private int added() throws AppError {
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
        LoadedModel model = add("colours.tflite.sqz", Resources.model("colours_int8.sqz"));
        assertArrayEquals(Resources.model("colours_int8.tflite"), bytes(model.content()));
        assertEquals("colours.tflite.sqz", model.entry().fileName());
        assertTrue(model.entry().archive());
        assertEquals(Resources.model("colours_int8.sqz").length, model.entry().bytes());
        assertEquals(bytes(model.content()).length, (long) progress.get(progress.size() - 1));
    }

    @Test
    public void anUpdateGivesANewModelBesideItsBase() throws Exception {
        byte[] update = Resources.model("colours_uint8.update.sqz");
        for (String base : new String[] {"colours_int8.tflite", "colours_int8.sqz"}) {
            ModelEntry former = add(base, Resources.model(base)).entry();
            progress.clear();
            LoadedModel model = add("colours_uint8.tflite.update.sqz", update);
            assertArrayEquals(Resources.model("colours_uint8.tflite"), bytes(model.content()));
            assertEquals("colours_uint8.tflite", model.entry().fileName());
            assertEquals(bytes(model.content()).length, (long) progress.get(progress.size() - 1));
            assertEquals(2, leftovers());
            LoadedModel kept = store.open(former, (done, total) -> { });
            assertArrayEquals(Resources.model("colours_int8.tflite"), bytes(kept.content()));
            store.remove(former);
            store.remove(model.entry());
        }
    }

    @Test
    public void anUpdateOfAnotherModelSaysWhichOneItNeeds() throws Exception {
        byte[] update = Resources.model("colours_uint8.update.sqz");
        add("other.tflite", Resources.model("foreign.tflite"));
        AppError error = assertThrows(AppError.class, () -> add("update.sqz", update));
        assertEquals(R.string.error_update_base, error.resource());
        String needed = Sha256.of(Resources.model("colours_int8.tflite"));
        assertTrue(error.text(context), error.text(context).contains(needed));
        assertEquals(1, leftovers());
    }

    @Test
    public void aDamagedOrStoppedUpdateChangesNothing() throws Exception {
        add("colours.tflite", Resources.model("colours_int8.tflite"));
        byte[] update = Resources.model("colours_uint8.update.sqz");
        for (int i = 4; i < update.length; i += 7) {
            byte[] damaged = update.clone();
            damaged[i] ^= 0x20;
            assertThrows("byte " + i, AppError.class, () -> add("update.sqz", damaged));
        }
        File incoming = copy(new ByteArrayInputStream(update), ModelStore.MAX_BYTES);
        assertThrows(IllegalStateException.class, () -> store.applyUpdate(incoming,
                (done, total) -> {
                    throw new IllegalStateException("stopped");
                }));
        assertArrayEquals(update, Files.readAllBytes(incoming.toPath()));
        assertTrue(incoming.delete());
        assertEquals(1, leftovers());
        assertEquals(1, added());
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
        LoadedModel again = store.open(entry, (done, total) -> progress.add(done));
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
            } catch (AppError e) {
                assertTrue(e.resource() == R.string.error_archive
                        || i < 4 && e.resource() == R.string.error_not_a_model);
            }
        }
        assertEquals(0, added());
        assertEquals(0, expanded() == null ? 0 : expanded().length);
        assertEquals(0, leftovers());
    }

    @Test
    public void anArchiveOfSomethingElseIsNoModel() throws Exception {
        try {
            add("text.sqz", Resources.model("text.sqz"));
            fail("accepted");
        } catch (AppError e) {
            assertEquals(R.string.error_not_a_model, e.resource());
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
            copy(breaking, ModelStore.MAX_BYTES);
            fail("stored");
        } catch (AppError e) {
            assertEquals(R.string.error_unreadable, e.resource());
            assertEquals(0, leftovers());
        }
    }

    @Test
    public void filesLargerThanTheMostAreRefusedWhileTheyCome() throws Exception {
        try {
            copy(new ByteArrayInputStream(new byte[5000]), 4999);
            fail("stored");
        } catch (AppError e) {
            assertEquals(R.string.error_file_too_large, e.resource());
            assertEquals(0, leftovers());
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
    public void theUsersModelsTogetherAreBounded() throws Exception {
        add("a.tflite", Resources.model("colours_int8.tflite"));
        File large = new File(context.getFilesDir(), "models/large.tflite");
        try (RandomAccessFile sparse = new RandomAccessFile(large, "rw")) {
            sparse.setLength(ModelStore.MAX_TOTAL_BYTES - 5000);
        }
        AppError error = assertThrows(AppError.class,
                () -> add("b.tflite", Resources.model("foreign.tflite")));
        assertEquals(R.string.error_storage_limit, error.resource());
        assertEquals(2, added());
    }

    @Test
    public void onlyTheCopiesUsedLastAreKept() throws Exception {
        byte[] archive = Resources.model("colours_int8.sqz");
        ModelEntry entry = add("colours.sqz", archive).entry();
        File first = expanded()[0];
        for (int i = 0; i < 2 * ArchiveCache.MAX_COPIES; i++) {
            File other = new File(first.getParentFile(), i + ".tflite");
            Files.write(other.toPath(), new byte[100]);
            assertTrue(other.setLastModified(1_000_000L * (i + 1)));
        }
        assertTrue(first.delete());
        store.open(entry, (done, total) -> { });
        assertEquals(ArchiveCache.MAX_COPIES, expanded().length);
        assertTrue("the one in use is kept", first.exists());
        assertFalse(new File(first.getParentFile(), "0.tflite").exists());
        store.clearCopies();
        assertEquals(0, store.storage().copyBytes);
    }

    @Test
    public void modelsInTheApkAreMapped() throws Exception {
        ModelEntry entry = store.list().get(0);
        assertTrue(entry.bundled());
        LoadedModel model = store.open(entry, (done, total) -> { });
        assertTrue(model.content().isDirect());
        assertEquals(64, model.sha256().length());
        store.remove(entry);
        assertEquals(entry, store.list().get(0));
    }
}
