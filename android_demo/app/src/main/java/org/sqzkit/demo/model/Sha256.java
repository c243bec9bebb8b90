package org.sqzkit.demo.model;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** SHA-256 in hexadecimal. */
final class Sha256 {
    private static final String DIGITS = "0123456789abcdef";

    private Sha256() {}

    static String of(byte[] bytes) {
        return of(ByteBuffer.wrap(bytes));
    }

    static String of(ByteBuffer bytes) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(bytes.duplicate());
            StringBuilder text = new StringBuilder(64);
            for (byte value : digest.digest()) {
                text.append(DIGITS.charAt(value >> 4 & 15)).append(DIGITS.charAt(value & 15));
            }
            return text.toString();
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Android has SHA-256", e);
        }
    }
}
