package org.sqzkit.demo.model;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import android.content.Context;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;
import org.sqzkit.sqz.Progress;

/** Updates that must be signed, and updates that are interrupted. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class SignedUpdatesTest {
    private static final Progress QUIET = (done, total) -> { };

    private final Context context = RuntimeEnvironment.getApplication();
    private final KeyPair pair = newPair();
    private ModelStore store = new ModelStore(context, pair.getPublic().getEncoded());

    private static KeyPair newPair() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] sign(byte[] archive, KeyPair pair, long release) throws Exception {
        ByteBuffer part = ByteBuffer.allocate(48).order(ByteOrder.LITTLE_ENDIAN);
        part.putInt(0x53515389).putInt(1).putLong(release);
        part.put(MessageDigest.getInstance("SHA-256").digest(archive));
        Signature made = Signature.getInstance("SHA256withECDSA");
        made.initSign(pair.getPrivate());
        made.update(part.array());
        byte[] signature = made.sign();
        return ByteBuffer.allocate(50 + signature.length + archive.length)
                .order(ByteOrder.LITTLE_ENDIAN).put(part.array()).putShort((short) signature.length)
                .put(signature).put(archive).array();
    }

    private static byte[] update() throws Exception {
        return Resources.model("colours_uint8.update.sqz");
    }

    /** Does what the app does with an opened file. */
    private ModelEntry open(byte[] content) throws Exception {
        File incoming = incoming(content);
        try {
            long release = store.applyUpdate(incoming, QUIET);
            ModelEntry entry = store.keep(incoming, store.read(incoming, "a", QUIET)).entry();
            store.setTaken(release);
            return entry;
        } finally {
            incoming.delete();
        }
    }

    private File incoming(byte[] content) throws Exception {
        File incoming = store.newIncoming();
        AtomicFiles.copy(new ByteArrayInputStream(content), incoming, ModelStore.MAX_BYTES,
                ModelStore::checkHeader, R.string.error_unreadable, () -> { });
        return incoming;
    }

    private void refuses(int message, byte[] content) {
        AppError error = assertThrows(AppError.class, () -> open(content));
        assertEquals(error.text(context), message, error.resource());
    }

    private byte[] content(ModelEntry entry) throws Exception {
        ByteBuffer whole = store.open(entry, QUIET).content().duplicate();
        whole.rewind();
        byte[] out = new byte[whole.remaining()];
        whole.get(out);
        return out;
    }

    private List<ModelEntry> added() throws Exception {
        List<ModelEntry> found = new ArrayList<>();
        for (ModelEntry entry : store.list()) {
            if (!entry.bundled()) {
                found.add(entry);
            }
        }
        return found;
    }

    @Test
    public void aSignedUpdateIsTakenOnceAndNoOlderOneAfterIt() throws Exception {
        open(Resources.model("colours_int8.tflite"));
        refuses(R.string.error_update_signature, update());
        ModelEntry entry = open(sign(update(), pair, 7));
        assertArrayEquals(Resources.model("colours_uint8.tflite"), content(entry));
        for (long release : new long[] {7, 6, 0}) {
            refuses(R.string.error_update_old, sign(update(), pair, release));
        }
        store = new ModelStore(context, pair.getPublic().getEncoded());
        refuses(R.string.error_update_old, sign(update(), pair, 7));
        open(sign(update(), pair, 8));
        assertEquals(3, added().size());
    }

    @Test
    public void anotherKeyAndDamageAreRefused() throws Exception {
        open(Resources.model("colours_int8.tflite"));
        refuses(R.string.error_update_signature, sign(update(), newPair(), 7));
        byte[] signed = sign(update(), pair, 7);
        for (int i = 4; i < signed.length; i += 11) {
            byte[] damaged = signed.clone();
            damaged[i] ^= 0x10;
            refuses(R.string.error_update_signature, damaged);
        }
        store = new ModelStore(context);
        refuses(R.string.error_update_signature, signed);
        assertEquals(1, added().size());
    }

    @Test
    public void aSignedModelNeedsNoBaseAndAnUnsignedOneNoSignature() throws Exception {
        ModelEntry entry = open(sign(Resources.model("colours_int8.sqz"), pair, 3));
        assertArrayEquals(Resources.model("colours_int8.tflite"), content(entry));
        refuses(R.string.error_update_old, sign(Resources.model("colours_int8.sqz"), pair, 3));
        open(Resources.model("colours_int8.sqz"));
    }

    @Test
    public void aSignedUpdateOfAnotherModelIsNotCountedAsTaken() throws Exception {
        byte[] signed = sign(update(), pair, 7);
        refuses(R.string.error_update_base, signed);
        open(Resources.model("colours_int8.tflite"));
        open(signed);
    }

    /** A process that ends at any step: what it left is not deleted, and another one begins. */
    @Test
    public void anInterruptedUpdateLeavesTheFormerModelOrBoth() throws Exception {
        byte[] former = Resources.model("colours_int8.tflite");
        byte[] signed = sign(update(), pair, 7);
        open(former);
        List<Long> steps = new ArrayList<>();
        store.applyUpdate(incoming(signed), (done, total) -> steps.add(done));
        assertTrue(steps.size() > 0);
        for (int step = 0; step <= steps.size(); step++) {
            File incoming = incoming(signed);
            int[] left = {step};
            Progress dies = (done, total) -> {
                if (left[0]-- == 0) {
                    throw new IllegalStateException("killed");
                }
            };
            try {
                store.applyUpdate(incoming, dies);
                store.read(incoming, "a", QUIET);
                assertEquals(steps.size(), step);
            } catch (IllegalStateException e) {
                // Either what came or the update in it, whole.
                assertArrayEquals(update(), Files.readAllBytes(incoming.toPath()));
            }
            store = new ModelStore(context, pair.getPublic().getEncoded());
            assertEquals(1, added().size());
            assertArrayEquals(former, content(added().get(0)));
        }
        // Every write goes to such a name first: what came, what was signed, and the model.
        for (byte[] written : new byte[][] {signed, update(), Resources.model("colours_uint8.tflite")}) {
            for (int share = 0; share <= 4; share++) {
                File part = File.createTempFile("in-", ".part", incoming(signed).getParentFile());
                Files.write(part.toPath(), Arrays.copyOf(written, share * written.length / 4));
                store = new ModelStore(context, pair.getPublic().getEncoded());
                assertEquals(1, part.getParentFile().list().length);
                assertArrayEquals(former, content(added().get(0)));
            }
        }
        // Killed after the model was stored, before its release was: it is taken again, once.
        File incoming = incoming(signed);
        store.applyUpdate(incoming, QUIET);
        store.keep(incoming, store.read(incoming, "a", QUIET));
        store = new ModelStore(context, pair.getPublic().getEncoded());
        assertEquals(2, added().size());
        incoming = incoming(signed);
        assertEquals(7, store.applyUpdate(incoming, QUIET));
        assertEquals("a 2.tflite", store.sameContent(incoming).fileName());
    }

    @Test
    public void aFullDiskLeavesTheFormerModel() throws Exception {
        byte[] former = Resources.model("colours_int8.tflite");
        open(former);
        byte[] signed = sign(update(), pair, 7);
        File folder = new File(context.getFilesDir(), "models");
        File aside = new File(context.getFilesDir(), "aside");
        File incoming = incoming(signed);
        AppError error = assertThrows(AppError.class, () -> store.applyUpdate(incoming,
                (done, total) -> {
                    if (folder.isDirectory()) { // from here on nothing can be written there
                        assertTrue(folder.renameTo(aside));
                        assertTrue(newFile(folder));
                    }
                }));
        assertEquals(R.string.error_storage, error.resource());
        assertTrue(folder.delete() && aside.renameTo(folder) && incoming.delete());
        assertEquals(1, added().size());
        assertArrayEquals(former, content(added().get(0)));
        open(signed);
    }

    private static boolean newFile(File file) {
        try {
            return file.createNewFile();
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
    }
}
