package org.sqzkit.apk;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;

/** The public key of whoever signs updates of the app's models. */
final class UpdateKey {
    private static final int MAX_BYTES = 1 << 16;

    private UpdateKey() {}

    /** Returns the SubjectPublicKeyInfo in a PEM file; refuses all but public keys of P-256. */
    static byte[] read(Path pem) throws BuildException, IOException {
        String wrong = "update key " + pem + ": must be a PEM file with a public key of P-256";
        if (!Files.isRegularFile(pem) || Files.size(pem) > MAX_BYTES) {
            throw new BuildException(wrong);
        }
        String text = new String(Files.readAllBytes(pem), StandardCharsets.ISO_8859_1);
        try {
            byte[] content = Base64.getMimeDecoder().decode(text.replaceAll("-----[^-]*-----", ""));
            ECPublicKey key = (ECPublicKey) KeyFactory.getInstance("EC")
                    .generatePublic(new X509EncodedKeySpec(content));
            AlgorithmParameters p256 = AlgorithmParameters.getInstance("EC");
            p256.init(new ECGenParameterSpec("secp256r1"));
            if (key.getParams().getCurve().equals(
                    p256.getParameterSpec(ECParameterSpec.class).getCurve())) {
                return key.getEncoded();
            }
        } catch (GeneralSecurityException | RuntimeException e) {
            throw new BuildException(wrong, e);
        }
        throw new BuildException(wrong);
    }
}
