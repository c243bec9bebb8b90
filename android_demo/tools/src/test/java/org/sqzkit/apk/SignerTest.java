package org.sqzkit.apk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Which key signs, and what is said when it cannot be had. */
public class SignerTest {
    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    @Test
    public void theDebugKeyIsMadeOnceAndKept() throws Exception {
        Path store = folder.getRoot().toPath().resolve("keys/debug.p12");
        Signer.open(Map.of(), store);
        byte[] made = Files.readAllBytes(store);
        Signer.open(Map.of(), store);
        assertArrayEquals(made, Files.readAllBytes(store));
        assertEquals("nothing else is left there", 1, store.getParent().toFile().list().length);
    }

    @Test
    public void theUsersKeyNeedsItsPasswordFromTheEnvironment() throws Exception {
        Path store = folder.getRoot().toPath().resolve("own.p12");
        Signer.open(Map.of(), store); // any keystore will do; its password is known
        Path none = folder.getRoot().toPath().resolve("unused.p12");
        BuildException missing = assertThrows(BuildException.class,
                () -> Signer.open(Map.of("SQZKIT_KEYSTORE", store.toString()), none));
        assertTrue(missing.getMessage().contains("SQZKIT_KEYSTORE_PASSWORD"));
        BuildException wrong = assertThrows(BuildException.class, () -> Signer.open(
                Map.of("SQZKIT_KEYSTORE", store.toString(), "SQZKIT_KEYSTORE_PASSWORD", "no"), none));
        assertTrue(wrong.getMessage().contains("own.p12"));
        BuildException alias = assertThrows(BuildException.class, () -> Signer.open(
                Map.of("SQZKIT_KEYSTORE", store.toString(), "SQZKIT_KEYSTORE_PASSWORD", "android",
                        "SQZKIT_KEY_ALIAS", "nobody"), none));
        assertTrue(alias.getMessage().contains("androiddebugkey"));
        Signer.open(Map.of("SQZKIT_KEYSTORE", store.toString(),
                "SQZKIT_KEYSTORE_PASSWORD", "android"), none);
        assertTrue("no debug key is made beside it", Files.notExists(none));
    }

    @Test
    public void optionsSayWhatIsMissing() throws Exception {
        Options options = new Options(new String[] {"step", "a=1", "b=", "c=x, y ,"}, 1);
        assertEquals(1, options.number("a"));
        assertEquals("other", options.get("b", "other"));
        assertEquals(java.util.List.of("x", "y"), options.list("c"));
        assertTrue(assertThrows(BuildException.class, () -> options.get("d")).getMessage().contains("d="));
        assertThrows(BuildException.class, () -> options.number("c"));
        assertThrows(BuildException.class, () -> new Options(new String[] {"nonsense"}, 0));
    }
}
