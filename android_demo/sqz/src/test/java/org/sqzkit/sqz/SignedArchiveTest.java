package org.sqzkit.sqz;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import java.util.Arrays;
import java.util.Base64;
import org.junit.Test;

/** Signatures that Python made, and everything that is not one. */
public class SignedArchiveTest {
    private static final Path GOLDEN = Paths.get(System.getProperty("golden"));

    private static byte[] read(String name) throws Exception {
        return Files.readAllBytes(GOLDEN.resolve(name));
    }

    private static byte[] key() throws Exception {
        String pem = new String(read("signed/public.pem"), StandardCharsets.US_ASCII);
        return Base64.getMimeDecoder().decode(pem.replaceAll("-----[^-]*-----", ""));
    }

    private static void refuses(byte[] signed, byte[] key, long release, SqzException.Code code) {
        SqzException error = assertThrows(
                SqzException.class, () -> SignedArchive.open(signed, key, release));
        assertEquals(code, error.code());
    }

    @Test
    public void whatPythonSignedIsOpened() throws Exception {
        byte[] signed = read("signed/example.signed.sqz");
        assertTrue(SignedArchive.isSigned(signed));
        assertEquals(7, SignedArchive.release(signed));
        assertArrayEquals(read("example.sqz"), SignedArchive.open(signed, key(), 7));
        assertFalse(SignedArchive.isSigned(read("example.sqz")));
        assertEquals(-1, SignedArchive.release(Arrays.copyOf(signed, 47)));
    }

    @Test
    public void anOlderReleaseIsRefused() throws Exception {
        refuses(read("signed/example.signed.sqz"), key(), 8, SqzException.Code.OLD_RELEASE);
    }

    @Test
    public void everyChangedByteIsNoticed() throws Exception {
        byte[] signed = read("signed/example.signed.sqz");
        for (int i = 0; i < signed.length; i++) {
            byte[] damaged = signed.clone();
            damaged[i] ^= 1;
            refuses(damaged, key(), 0, SqzException.Code.SIGNATURE);
            refuses(Arrays.copyOf(signed, i), key(), 0, SqzException.Code.SIGNATURE);
        }
        refuses(Arrays.copyOf(signed, signed.length + 1), key(), 0, SqzException.Code.SIGNATURE);
    }

    @Test
    public void anotherKeyOrNoneIsRefused() throws Exception {
        byte[] signed = read("signed/example.signed.sqz");
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair other = generator.generateKeyPair();
        for (byte[] key : new byte[][] {other.getPublic().getEncoded(), other.getPrivate().getEncoded(),
            new byte[0], Arrays.copyOf(key(), 60)}) {
            refuses(signed, key, 0, SqzException.Code.SIGNATURE);
        }
    }
}
