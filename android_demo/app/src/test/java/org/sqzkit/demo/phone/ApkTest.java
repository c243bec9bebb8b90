package org.sqzkit.demo.phone;

import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.nio.charset.StandardCharsets;
import org.junit.Test;

/** What app stores read in the APK. */
public class ApkTest {
    private static String badging() throws Exception {
        Process aapt2 = new ProcessBuilder("target/apk/aapt2", "dump", "badging", Apk.file().getPath())
                .redirectErrorStream(true).start();
        return new String(aapt2.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    /** The camera permission alone would imply a back camera with autofocus. */
    @Test
    public void noDeviceIsExcludedForItsCamera() throws Exception {
        String badging = badging();
        assertTrue(badging, badging.contains("package: name='org.sqzkit.demo'"));
        assertFalse(badging, badging.contains("uses-implied-feature: name='android.hardware.camera"));
        for (String feature : new String[] {"camera", "camera.any", "camera.autofocus"}) {
            assertTrue(feature, badging.contains(
                    "uses-feature-not-required: name='android.hardware." + feature + "'"));
        }
    }
}
