package org.sqzkit.example;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.sqzkit.sqz.SqzDecoder;
import org.sqzkit.sqz.SqzException;

public class UnpackTest {
    private static final Path MODELS = Paths.get("../app/src/test/resources/models");
    private static final Path UPDATES = Paths.get("../../tests/golden/sqz/updates");
    private static final Path ARCHIVE = MODELS.resolve("colours_int8.sqz");

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private Path model() {
        return folder.getRoot().toPath().resolve("model.tflite");
    }

    @Test
    public void dependsOnTheJar() {
        String origin = SqzDecoder.class.getProtectionDomain().getCodeSource().getLocation().getPath();
        assertTrue(origin, origin.endsWith(".jar"));
    }

    @Test
    public void theModelComesOut() throws Exception {
        Unpack.unpack(ARCHIVE, null, model(), new AtomicBoolean());
        assertArrayEquals(Files.readAllBytes(MODELS.resolve("colours_int8.tflite")),
                Files.readAllBytes(model()));
    }

    @Test
    public void anUpdateGivesTheNewModelFromItsBase() throws Exception {
        Path update = UPDATES.resolve("everything.sqz");
        SqzException error = assertThrows(SqzException.class,
                () -> Unpack.unpack(update, null, model(), new AtomicBoolean()));
        assertTrue(Unpack.text(error), Unpack.text(error).contains("give that file"));
        Unpack.unpack(update, UPDATES.resolve("base.sqz"), model(), new AtomicBoolean());
        assertEquals(2319, Files.size(model()));
    }

    @Test
    public void canBeCancelled() {
        SqzException error = assertThrows(SqzException.class,
                () -> Unpack.unpack(ARCHIVE, null, model(), new AtomicBoolean(true)));
        assertEquals("stopped", Unpack.text(error));
        assertFalse("nothing is left", Files.exists(model()));
    }

    @Test
    public void saysWhatIsWrong() {
        SqzException error = assertThrows(SqzException.class, () -> Unpack.unpack(
                MODELS.resolve("colours_int8.tflite"), null, model(), new AtomicBoolean()));
        assertEquals("this is not a .sqz file", Unpack.text(error));
    }
}
