package org.sqzkit.demo.model;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.Test;
import org.sqzkit.demo.phone.Resources;
import org.tensorflow.lite.support.metadata.MetadataExtractor;
import org.tensorflow.lite.support.metadata.schema.NormalizationOptions;

/** TensorFlow's own TFLite Metadata library reads in our files what our reader reads. */
public class MetadataInteropTest {
    private static MetadataExtractor open(String name) throws Exception {
        return new MetadataExtractor(ByteBuffer.wrap(Resources.model(name)));
    }

    @Test
    public void readsNameAndLicence() throws Exception {
        MetadataExtractor extractor = open("colours_int8.tflite");
        assertTrue(extractor.hasMetadata());
        assertEquals("Colours", extractor.getModelMetadata().name());
        assertEquals("Apache-2.0", extractor.getModelMetadata().license());
    }

    @Test
    public void readsTheLabels() throws Exception {
        MetadataExtractor extractor = open("colours_int8.tflite");
        String file = extractor.getOutputTensorMetadata(0).associatedFiles(0).name();
        byte[] labels = extractor.getAssociatedFile(file).readAllBytes();
        assertEquals("red\ngreen\nblue\n", new String(labels, StandardCharsets.UTF_8));
        assertTrue(extractor.getAssociatedFileNames().contains("preprocessing.json"));
    }

    @Test
    public void readsThatPixelsGoInAsTheyAre() throws Exception {
        MetadataExtractor extractor = open("colours_float.tflite");
        NormalizationOptions options = (NormalizationOptions) extractor.getInputTensorMetadata(0)
                .processUnits(0).options(new NormalizationOptions());
        assertEquals(0f, options.mean(0), 0);
        assertEquals(1f, options.std(0), 0);
        assertArrayEquals(new int[] {1, 32, 32, 3}, extractor.getInputTensorShape(0));
    }

    @Test
    public void readsTheQuantizationAsOurReaderDoes() throws Exception {
        MetadataExtractor extractor = open("colours_int8.tflite");
        ModelFile model = ModelFile.read(ByteBuffer.wrap(Resources.model("colours_int8.tflite")));
        assertEquals(extractor.getInputTensorQuantizationParams(0).getScale(), model.input.scale(), 0);
        assertEquals(
                extractor.getOutputTensorQuantizationParams(0).getZeroPoint(), model.output.zeroPoint());
    }
}
