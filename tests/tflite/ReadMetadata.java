import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.tensorflow.lite.support.metadata.MetadataExtractor;
import org.tensorflow.lite.support.metadata.schema.ModelMetadata;
import org.tensorflow.lite.support.metadata.schema.NormalizationOptions;
import org.tensorflow.lite.support.metadata.schema.TensorMetadata;

/** Prints what tensorflow-lite-metadata reads from a file; run by test_java_metadata.py. */
public class ReadMetadata {
  public static void main(String[] arguments) throws Exception {
    byte[] content = Files.readAllBytes(Path.of(arguments[0]));
    ByteBuffer buffer = ByteBuffer.allocateDirect(content.length);
    buffer.put(content).rewind();
    MetadataExtractor metadata = new MetadataExtractor(buffer);
    ModelMetadata model = metadata.getModelMetadata();
    TensorMetadata image = metadata.getInputTensorMetadata(0);
    NormalizationOptions normalization =
        (NormalizationOptions) image.processUnits(0).options(new NormalizationOptions());
    String labels = metadata.getOutputTensorMetadata(0).associatedFiles(0).name();
    List<String> lines =
        new BufferedReader(new InputStreamReader(metadata.getAssociatedFile(labels)))
            .lines()
            .toList();
    System.out.println(metadata.isMinimumParserVersionSatisfied());
    System.out.println(model.name() + "|" + model.version() + "|" + model.license());
    System.out.println(normalization.mean(0) + "|" + normalization.std(0));
    System.out.println(metadata.getAssociatedFileNames());
    System.out.println(lines);
  }
}
