package org.sqzkit.demo.model;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.sqzkit.demo.AppError;
import org.sqzkit.demo.R;
import org.sqzkit.demo.phone.PhoneTestRunner;
import org.sqzkit.demo.phone.Resources;

/** Class names and normalization for files that lack them. */
@RunWith(PhoneTestRunner.class)
@Config(sdk = 35)
public class AdditionsTest {
    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    private static LoadedModel model(String name) throws Exception {
        ByteBuffer content = ByteBuffer.wrap(Resources.model(name));
        return new LoadedModel(
                new ModelEntry("file:" + name, 1), ModelFile.read(content), content, "ab");
    }

    private File text(byte[] content) throws Exception {
        return Files.write(folder.newFile().toPath(), content).toFile();
    }

    @Test
    public void labelsAreStoredIfThereIsOneForEachClass() throws Exception {
        Additions additions = new Additions(folder.newFolder());
        assertTrue(additions.labels("ab").isEmpty());
        LoadedModel bare = model("bare_float.tflite");
        assertTrue(bare.file().lacksLabels() && bare.file().lacksNormalization());
        for (String text : new String[] {"r\ng\nb", "\ufeffr\r\ng\r\nb\r\n\r\n \n", "r\rg\rb\r"}) {
            additions.addLabels(bare, text(text.getBytes("UTF-8")));
            assertEquals(Arrays.asList("r", "g", "b"), additions.labels("ab"));
        }
        for (String text : new String[] {"", "\n\n", "r\ng", "r\ng\nb\nx"}) {
            try {
                additions.addLabels(bare, text(text.getBytes("UTF-8")));
                throw new AssertionError(text);
            } catch (AppError e) {
                assertEquals(R.string.error_labels_added, e.resource());
            }
        }
        byte[] picture = new byte[5000];
        new Random(1).nextBytes(picture);
        try {
            additions.addLabels(bare, text(picture));
            throw new AssertionError("a picture");
        } catch (AppError e) {
            assertEquals(R.string.error_labels_added, e.resource());
        }
        assertEquals(Arrays.asList("r", "g", "b"), additions.labels("ab"));
    }

    @Test
    public void theUsualNormalizations() throws Exception {
        double[][] ends = {{-1, 1}, {0, 1}, {0, 255}, {-2.117904, 2.248908}};
        for (Additions.Choice choice : Additions.Choice.values()) {
            Additions additions = new Additions(folder.newFolder());
            assertNull(additions.choice("ab"));
            additions.setNormalization(model("bare_float.tflite"), choice);
            Normalization found = additions.choice("ab").normalization();
            assertEquals(ends[choice.ordinal()][0], found.apply(0, 0), 1e-5);
            assertEquals(ends[choice.ordinal()][1], found.apply(0, 255), 1e-5);
        }
    }

    @Test
    public void whatTheFileSaysComesFirst() throws Exception {
        Additions.Choice raw = Additions.Choice.RAW;
        List<String> names = Arrays.asList("a", "b", "c");
        ByteBuffer own = ByteBuffer.wrap(Resources.model("colours_float.tflite"));
        ModelFile file = ModelFile.read(own, names, raw);
        assertEquals(ModelFile.read(own).labels(), file.labels());
        assertFalse(file.lacksLabels() || file.lacksNormalization());
        assertNotSame(Normalization.RAW, file.normalization);
        ByteBuffer bare = ByteBuffer.wrap(Resources.model("bare_float.tflite"));
        assertSame(Normalization.RAW, ModelFile.read(bare, names, raw).normalization);
        assertEquals("b", ModelFile.read(bare, names, raw).label(1));
        assertNull("too few", ModelFile.read(bare, names.subList(0, 2), raw).label(1));
    }

    @Test
    public void damagedFilesCountAsNone() throws Exception {
        File damaged = folder.newFolder();
        for (String ending : new String[] {".labels", ".normalization"}) {
            Files.write(new File(damaged, "ab" + ending).toPath(), new byte[] {-1, 0, 10, 5});
        }
        Additions additions = new Additions(damaged);
        assertNull(additions.choice("ab"));
        ByteBuffer bare = ByteBuffer.wrap(Resources.model("bare_float.tflite"));
        assertNull(ModelFile.read(bare, additions.labels("ab"), null).label(0));
    }
}
