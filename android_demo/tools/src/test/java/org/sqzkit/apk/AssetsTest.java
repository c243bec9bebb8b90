package org.sqzkit.apk;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Which files the APK carries: the app's own, and the user's models instead of the app's. */
public class AssetsTest {
    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    private Path root;
    private Path out;

    @Before
    public void ownAssets() throws IOException {
        root = folder.getRoot().toPath();
        out = root.resolve("out");
        write("own/models/digits.sqz");
        write("own/samples/3.png");
    }

    private void write(String name) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, name);
    }

    private List<String> gathered(String models) throws IOException, BuildException {
        String[] arguments = {"assets=" + root.resolve("own"), "base=" + root, "models=" + models};
        Aapt2.gatherAssets(new Options(arguments, 0), out);
        try (Stream<Path> files = Files.walk(out)) {
            return files.filter(Files::isRegularFile).map(file -> out.relativize(file).toString())
                    .sorted().collect(Collectors.toList());
        }
    }

    @Test
    public void withoutAModelTheAppsOwnIsTaken() throws Exception {
        assertEquals(List.of("models/digits.sqz", "samples/3.png"), gathered(""));
    }

    @Test
    public void severalModelsOfTheUserTakeItsPlace() throws Exception {
        write("mine/cats.tflite");
        write("mine/dogs.sqz");
        assertEquals(List.of("models/cats.tflite", "models/dogs.sqz", "samples/3.png"),
                gathered("mine/cats.tflite,mine/dogs.sqz"));
        assertEquals("nothing is left of the former build",
                List.of("models/dogs.sqz", "samples/3.png"), gathered("mine/dogs.sqz"));
    }

    @Test
    public void whatIsNoModelIsRefusedByName() throws Exception {
        write("mine/notes.txt");
        for (String name : List.of("mine/notes.txt", "mine/absent.tflite")) {
            BuildException error = assertThrows(BuildException.class, () -> gathered(name));
            assertTrue(error.getMessage(), error.getMessage().contains(name));
        }
    }
}
