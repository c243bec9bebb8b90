package org.sqzkit.apk;

import com.android.apksig.ApkSigner;
import com.android.apksig.ApkSignerEngine;
import com.android.apksig.ApkVerifier;
import com.android.apksig.DefaultApkSignerEngine;
import com.android.apksig.apk.ApkFormatException;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;

/**
 * Signs an APK (v2, v3) and aligns its stored files.
 *
 * <p>The key is the user's own ({@code SQZKIT_KEYSTORE}, {@code SQZKIT_KEYSTORE_PASSWORD}, and if
 * they differ {@code SQZKIT_KEY_ALIAS} and {@code SQZKIT_KEY_PASSWORD}; passwords come from the
 * environment only, as arguments are visible to other users) or else a debug key that is made once
 * on each machine and never leaves it. With an RSA key the same APK gets the same signature bytes.
 */
final class Signer {
    private static final String DEBUG_PASSWORD = "android";

    private final String alias;
    private final PrivateKey key;
    private final X509Certificate certificate;

    private Signer(String alias, PrivateKey key, X509Certificate certificate) {
        this.alias = alias;
        this.key = key;
        this.certificate = certificate;
    }

    /** Opens the user's keystore, or the debug one at {@code debugStore}, made if it is not there. */
    static Signer open(Map<String, String> environment, Path debugStore)
            throws IOException, BuildException {
        String own = environment.getOrDefault("SQZKIT_KEYSTORE", "");
        if (own.isEmpty()) {
            if (!Files.exists(debugStore)) {
                makeDebugStore(debugStore);
            }
            return load(debugStore, DEBUG_PASSWORD, null, DEBUG_PASSWORD);
        }
        String password = environment.get("SQZKIT_KEYSTORE_PASSWORD");
        if (password == null) {
            throw new BuildException("SQZKIT_KEYSTORE is set: set SQZKIT_KEYSTORE_PASSWORD too");
        }
        return load(Path.of(own), password, environment.get("SQZKIT_KEY_ALIAS"),
                environment.getOrDefault("SQZKIT_KEY_PASSWORD", password));
    }

    private static Signer load(Path store, String password, String alias, String keyPassword)
            throws IOException, BuildException {
        try {
            KeyStore keys = KeyStore.getInstance(store.toFile(), password.toCharArray());
            String name = alias == null ? keys.aliases().nextElement() : alias;
            if (!keys.isKeyEntry(name)) {
                throw new BuildException("keystore " + store + " has no key '" + name
                        + "': set SQZKIT_KEY_ALIAS to one of " + java.util.Collections.list(keys.aliases()));
            }
            return new Signer(name, (PrivateKey) keys.getKey(name, keyPassword.toCharArray()),
                    (X509Certificate) keys.getCertificate(name));
        } catch (GeneralSecurityException | IOException e) {
            throw new BuildException("keystore " + store + " cannot be opened (is "
                    + "SQZKIT_KEYSTORE_PASSWORD right?): " + e.getMessage(), e);
        }
    }

    /** Makes a key of this machine's own, whole or not at all. */
    private static void makeDebugStore(Path store) throws IOException, BuildException {
        Path folder = store.toAbsolutePath().getParent();
        Files.createDirectories(folder);
        Path fresh = Files.createTempDirectory(folder, "key").resolve("debug.p12");
        String keytool = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
        try {
            Process process = new ProcessBuilder(keytool, "-genkeypair", "-keystore", fresh.toString(),
                    "-storetype", "PKCS12", "-storepass", DEBUG_PASSWORD, "-alias", "androiddebugkey",
                    "-keyalg", "RSA", "-keysize", "2048", "-validity", "10000",
                    "-dname", "CN=Android Debug,O=Android,C=US").redirectErrorStream(true).start();
            String said = new String(process.getInputStream().readAllBytes());
            if (process.waitFor() != 0) {
                throw new BuildException("keytool made no debug key: " + said);
            }
            Files.move(fresh, store);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BuildException("interrupted", e);
        } finally {
            Files.deleteIfExists(fresh);
            Files.delete(fresh.getParent());
        }
    }

    /** Signs {@code unsigned} into {@code out} and reads the signature back. */
    void sign(File unsigned, File out, int minSdk) throws IOException, BuildException {
        try {
            DefaultApkSignerEngine.SignerConfig config =
                    new DefaultApkSignerEngine.SignerConfig.Builder(alias, key, List.of(certificate)).build();
            ApkSignerEngine engine = new DefaultApkSignerEngine.Builder(List.of(config), minSdk)
                    // Every Android from minSdk on reads version 2, so version 1's files are dead weight.
                    .setV1SigningEnabled(false).setV2SigningEnabled(true).setV3SigningEnabled(true).build();
            new ApkSigner.Builder(SigningBlock.unpadded(engine))
                    .setInputApk(unsigned).setOutputApk(out)
                    .setAlignmentPreserved(false)
                    .setLibraryPageAlignmentBytes(ElfAligner.PAGE)
                    .build().sign();
            ApkVerifier.Result result = new ApkVerifier.Builder(out).build().verify();
            if (!result.isVerified() || !result.isVerifiedUsingV2Scheme()
                    || !result.isVerifiedUsingV3Scheme()) {
                throw new BuildException("the signature does not verify: " + result.getErrors());
            }
        } catch (GeneralSecurityException | ApkFormatException e) {
            throw new BuildException("signing failed: " + e.getMessage(), e);
        }
    }
}
