package org.sqzkit.sqz;

import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;

/**
 * Signed archives: who made an archive, and which release it is (docs/sqz.md, "Signatures").
 *
 * <p>The signature is ECDSA over P-256 with SHA-256, which the JDK and Android from 7.0 on verify.
 */
public final class SignedArchive {
    private static final int SIGNED = 48;
    private static final int START = SIGNED + 2;
    private static final int RELEASE = 8;
    private static final int MAX_SIGNATURE = 72;

    private SignedArchive() {}

    /** Returns whether content begins as a signed archive does. */
    public static boolean isSigned(byte[] content) {
        return content.length >= 4 && SqzDecoder.littleEndian(content, 0) == 0x53515389;
    }

    /** Returns the release that a signed archive names; only {@link #open} tells whether that is true. */
    public static long release(byte[] signed) {
        return signed.length < SIGNED ? -1
                : SqzDecoder.littleEndian(signed, RELEASE) & 0xFFFFFFFFL
                        | (long) SqzDecoder.littleEndian(signed, RELEASE + 4) << 32;
    }

    /**
     * Returns the archive that was signed with the private half of a key.
     *
     * @param signed all bytes of the file
     * @param publicKey a key of P-256: SubjectPublicKeyInfo in DER, a PEM file's content
     * @param minRelease of an older release nothing is returned
     * @throws SqzException if the file is damaged, not signed, or signed with another key
     *     ({@link SqzException.Code#SIGNATURE}), or older ({@link SqzException.Code#OLD_RELEASE})
     */
    public static byte[] open(byte[] signed, byte[] publicKey, long minRelease) throws SqzException {
        int size = isSigned(signed) && signed.length >= START
                ? signed[SIGNED] & 255 | (signed[SIGNED + 1] & 255) << 8 : MAX_SIGNATURE + 1;
        int start = START + size;
        if (size > MAX_SIGNATURE || start > signed.length || !isRight(signed, start, publicKey)) {
            throw new SqzException(SqzException.Code.SIGNATURE,
                    "the archive is not signed with this key, or is damaged");
        }
        long release = release(signed);
        if (release < minRelease) {
            throw new SqzException(SqzException.Code.OLD_RELEASE,
                    "release " + release + " is older than " + minRelease);
        }
        return Arrays.copyOfRange(signed, start, signed.length);
    }

    private static boolean isRight(byte[] signed, int start, byte[] publicKey) {
        try {
            Signature check = Signature.getInstance("SHA256withECDSA");
            check.initVerify(KeyFactory.getInstance("EC")
                    .generatePublic(new X509EncodedKeySpec(publicKey)));
            check.update(signed, 0, SIGNED);
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(signed, start, signed.length - start);
            // Version 1, and nothing in the reserved bytes.
            return SqzDecoder.littleEndian(signed, 4) == 1
                    && check.verify(signed, START, start - START)
                    && Arrays.equals(digest.digest(), Arrays.copyOfRange(signed, 16, SIGNED));
        } catch (GeneralSecurityException | RuntimeException e) {
            return false; // a signature that is not two numbers in DER
        }
    }
}
