package org.sqzkit.demo.phone;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Locale;
import java.util.Random;
import org.junit.Test;
import org.sqzkit.demo.phone.EmulatedPhone.Processor;
import org.sqzkit.teach.Flat;
import org.sqzkit.teach.Graph;

/**
 * The instructions of one inference, by operator: what an operator takes is the difference between
 * the graph that ends with it and the one that ends before it.
 *
 * <p>-Dsqzkit.instructions=FILE prints a table of these for a .tflite, given by its absolute path;
 * several are separated by colons. With -Dsqzkit.instructions.total=true, only the sums.
 */
public class ArmInstructionsTest {
    private static final int SUBGRAPHS = 2; // fields of the model
    private static final int TENSORS = 0; // fields of a graph
    private static final int OUTPUTS = 2;
    private static final int OPERATORS = 3;
    private static final int NAME = 3; // of a tensor

    @Test
    public void countsEachOperatorAndEachInferenceAlike() throws Exception {
        byte[] model = Resources.model("colours_int8.tflite");
        long[] ends = ends(model, Processor.CORTEX_A76);
        for (int i = 1; i < ends.length; i++) {
            assertTrue(Arrays.toString(ends), ends[i] > ends[i - 1]);
        }
        long[] inferences = inferences(model, Processor.CORTEX_A76, 3);
        assertEquals(ends[ends.length - 1], inferences[1]);
        assertEquals(inferences[1], inferences[2]);
        long without = instructions(model, Processor.CORTEX_A53);
        assertTrue("dot products are not used: " + without, without > inferences[1]);
    }

    /** Not a test: prints where the instructions of given models are. */
    @Test
    public void printsTheInstructionsOfModels() throws Exception {
        String models = System.getProperty("sqzkit.instructions", "");
        assumeTrue("needs -Dsqzkit.instructions", !models.isEmpty());
        for (String file : models.split(File.pathSeparator)) {
            byte[] model = Files.readAllBytes(new File(file).toPath());
            if (Boolean.getBoolean("sqzkit.instructions.total")) {
                printTotal(file, model);
            } else {
                printOperators(file, model);
            }
        }
    }

    private static void printTotal(String file, byte[] model) throws Exception {
        StringBuilder line = new StringBuilder("| " + file);
        for (Processor processor : Processor.values()) {
            line.append(String.format(Locale.ROOT, " | %,d", instructions(model, processor)));
        }
        System.out.println(line + " |");
    }

    private static void printOperators(String file, byte[] model) throws Exception {
        long[][] ends = new long[Processor.values().length][];
        for (Processor processor : Processor.values()) {
            ends[processor.ordinal()] = ends(model, processor);
        }
        Flat flat = new Flat(ByteBuffer.wrap(model));
        int[] tensors = flat.tables(main(flat), TENSORS);
        Graph graph = Graph.read(ByteBuffer.wrap(model));
        System.out.println(file + ": " + Arrays.toString(Processor.values()));
        for (int i = 0; i < graph.operators.length; i++) {
            int made = graph.operators[i].outputs[0];
            StringBuilder line = new StringBuilder(String.format(Locale.ROOT, "| %s | %s | %s",
                    flat.text(tensors[made], NAME).split(";")[0], graph.operators[i].name,
                    Arrays.toString(graph.tensors[made].shape)));
            for (long[] of : ends) {
                line.append(String.format(Locale.ROOT, " | %,d", of[i + 1] - of[i]));
            }
            System.out.println(line + " |");
        }
        printTotal(file, model);
    }

    /** Returns the instructions of the graphs that end before and after each operator. */
    private static long[] ends(byte[] model, Processor processor) throws Exception {
        long[] ends = new long[Graph.read(ByteBuffer.wrap(model)).operators.length + 1];
        for (int i = 1; i < ends.length; i++) {
            ends[i] = instructions(beginning(model, i), processor);
        }
        return ends;
    }

    private static long instructions(byte[] model, Processor processor) throws Exception {
        return inferences(model, processor, 2)[1];
    }

    /** Returns the instructions of the first inferences; the first of all prepares the others. */
    private static long[] inferences(byte[] model, Processor processor, int number) throws Exception {
        Path library = Apk.library("arm64-v8a");
        try (EmulatedPhone phone = new EmulatedPhone(library, model, processor)) {
            byte[] input = new byte[phone.inputBytes()];
            new Random(1).nextBytes(input);
            long[] found = new long[number];
            for (int i = 0; i < number; i++) {
                phone.run(input);
                found[i] = phone.instructions();
            }
            return found;
        }
    }

    /**
     * Returns the model with its first operators only. All that they make and nobody reads are its
     * outputs, the last one first: XNNPACK leaves out what is for nothing.
     */
    private static byte[] beginning(byte[] model, int operators) throws Exception {
        Deque<Integer> outputs = new ArrayDeque<>();
        for (Graph.Operator operator
                : Arrays.copyOf(Graph.read(ByteBuffer.wrap(model)).operators, operators)) {
            for (int read : operator.inputs) {
                outputs.remove(read);
            }
            outputs.push(operator.outputs[0]);
        }
        ByteBuffer changed = ByteBuffer.allocate(model.length + 4 + 4 * outputs.size() + 4)
                .order(ByteOrder.LITTLE_ENDIAN);
        changed.put(model);
        Flat flat = new Flat(ByteBuffer.wrap(model));
        changed.putInt(flat.target(main(flat), OPERATORS), operators);
        int field = field(changed, main(flat), OUTPUTS);
        changed.position(model.length + 3 & -4); // vectors begin at a multiple of 4
        changed.putInt(field, changed.position() - field);
        changed.putInt(outputs.size());
        outputs.forEach(changed::putInt);
        return changed.array();
    }

    /** Returns where a table's field is. */
    private static int field(ByteBuffer bytes, int table, int slot) {
        return table + bytes.getShort(table - bytes.getInt(table) + 4 + 2 * slot);
    }

    private static int main(Flat flat) {
        return flat.tables(flat.root(), SUBGRAPHS)[0];
    }
}
