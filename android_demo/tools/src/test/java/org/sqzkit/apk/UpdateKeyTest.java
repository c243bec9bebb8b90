package org.sqzkit.apk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Only public keys of P-256 get into an APK. */
public class UpdateKeyTest {
    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    private static KeyPair pair(String curve) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec(curve));
        return generator.generateKeyPair();
    }

    private Path pem(Key key) throws Exception {
        return file("-----BEGIN KEY-----\n" + Base64.getMimeEncoder().encodeToString(key.getEncoded())
                + "\n-----END KEY-----\n");
    }

    private Path file(String text) throws Exception {
        return Files.write(folder.newFile().toPath(), text.getBytes("US-ASCII"));
    }

    @Test
    public void aPublicKeyOfP256IsRead() throws Exception {
        Key key = pair("secp256r1").getPublic();
        assertArrayEquals(key.getEncoded(), UpdateKey.read(pem(key)));
    }

    @Test
    public void allElseIsRefused() throws Exception {
        KeyPair rsa = KeyPairGenerator.getInstance("RSA").generateKeyPair();
        Path[] wrong = {pem(pair("secp384r1").getPublic()), pem(pair("secp256r1").getPrivate()),
            pem(rsa.getPublic()), file(""), file("no key"), file("!".repeat(70_000)),
            folder.getRoot().toPath(), Path.of("missing.pem")};
        for (Path path : wrong) {
            BuildException error = assertThrows(BuildException.class, () -> UpdateKey.read(path));
            assertTrue(error.getMessage(), error.getMessage().contains("public key of P-256"));
        }
    }
}
