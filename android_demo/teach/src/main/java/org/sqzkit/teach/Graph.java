package org.sqzkit.teach;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The main graph of a {@code .tflite} that anybody may have made; the types of tensors are the schema's
 * numbers. Public for programs that show what a model is.
 */
public final class Graph extends Flat {
    public static final int FLOAT32 = 0;
    public static final int FLOAT16 = 1;
    public static final int INT32 = 2;
    public static final int UINT8 = 3;
    public static final int INT64 = 4;
    public static final int INT16 = 7;
    public static final int INT8 = 9;

    /** Names in the schema by number: they go into the digest. Others cannot be taught here. */
    private static final Map<Integer, String> OPERATORS = operators("0 ADD 1 AVERAGE_POOL_2D "
            + "2 CONCATENATION 3 CONV_2D 4 DEPTHWISE_CONV_2D 6 DEQUANTIZE 9 FULLY_CONNECTED "
            + "14 LOGISTIC 17 MAX_POOL_2D 18 MUL 19 RELU 20 RELU_N1_TO_1 21 RELU6 22 RESHAPE "
            + "23 RESIZE_BILINEAR 25 SOFTMAX 28 TANH 34 PAD 39 TRANSPOSE 40 MEAN 41 SUB 42 DIV "
            + "43 SQUEEZE 45 STRIDED_SLICE 49 SPLIT 54 PRELU 55 MAXIMUM 57 MINIMUM 60 PADV2 "
            + "65 SLICE 74 SUM 76 RSQRT 83 PACK 98 LEAKY_RELU 99 SQUARED_DIFFERENCE "
            + "100 MIRROR_PAD 111 ELU 114 QUANTIZE 117 HARD_SWISH 150 GELU");
    private static final int MAX_RANK = 16;
    /** The kind of a .tflite. */
    public static final String IDENTIFIER = "TFL3";

    public final Tensor[] tensors;
    public final Operator[] operators;
    /** Numbers of tensors. */
    public final int[] inputs;
    public final int[] outputs;
    /** Positions of the tables of buffers and of metadata entries. */
    public final int[] buffers;
    public final int[] entries;
    /** Where the offset to the list of outputs is. */
    final int outputsField;

    /** One tensor; its table's position, and what it says. */
    public static final class Tensor {
        public int index;
        int table;
        public int[] shape;
        public int type;
        public int buffer;
        /** Position of the quantization's table, or 0. */
        int quantization;
        public float[] scales;
        public long zero;
    }

    /** One operator, and the numbers of its tensors. */
    public static final class Operator {
        int table;
        public String name;
        public int[] inputs;
        public int[] outputs;

        /** Whether it makes a tensor. */
        public boolean makes(int tensor) {
            for (int output : outputs) {
                if (output == tensor) {
                    return true;
                }
            }
            return false;
        }
    }

    private Graph(ByteBuffer content) throws HeadException {
        super(content);
        if (!isOfKind(content, IDENTIFIER)) {
            throw HeadException.unfit("it is not a .tflite file");
        }
        int root = root();
        int main = tables(root, 2)[0];
        buffers = tables(root, 4);
        entries = tables(root, 6);
        tensors = tensors(tables(main, 0));
        operators = operators(tables(main, 3), tables(root, 1));
        inputs = numbers(main, 1, 0);
        outputs = numbers(main, 2, 0);
        outputsField = field(main, 2);
    }

    /**
     * Reads a graph.
     *
     * @throws HeadException NOT_TEACHABLE if it is damaged
     */
    public static Graph read(ByteBuffer content) throws HeadException {
        try {
            return new Graph(content);
        } catch (IndexOutOfBoundsException error) {
            throw HeadException.damagedModel(error);
        }
    }

    private Tensor[] tensors(int[] tables) {
        Tensor[] found = new Tensor[tables.length];
        for (int i = 0; i < found.length; i++) {
            Tensor tensor = new Tensor();
            tensor.index = i;
            tensor.table = tables[i];
            tensor.shape = ints(tables[i], 0);
            tensor.type = number(tables[i], 1, 1);
            tensor.buffer = number(tables[i], 2, 4);
            tensor.quantization = target(tables[i], 4);
            int zeros = tensor.quantization == 0 ? 0 : target(tensor.quantization, 3);
            tensor.scales = tensor.quantization == 0 ? new float[0] : floats(tensor.quantization, 2);
            tensor.zero = count(zeros, 8) == 0 ? 0 : bytes.getLong(zeros + 4);
            require(tensor.shape.length <= MAX_RANK && tensor.buffer >= 0
                    && tensor.buffer < buffers.length);
            found[i] = tensor;
        }
        return found;
    }

    private Operator[] operators(int[] tables, int[] codes) {
        Operator[] found = new Operator[tables.length];
        for (int i = 0; i < found.length; i++) {
            int kind = codes[number(tables[i], 0, 4)];
            int code = Math.max(number(kind, 0, 1), number(kind, 3, 4));
            found[i] = new Operator();
            found[i].table = tables[i];
            found[i].name = OPERATORS.containsKey(code) ? OPERATORS.get(code) : "OPERATOR_" + code;
            found[i].inputs = numbers(tables[i], 1, -1);
            found[i].outputs = numbers(tables[i], 2, 0);
        }
        return found;
    }

    private static Map<Integer, String> operators(String text) {
        Map<Integer, String> names = new HashMap<>();
        String[] words = text.split(" ");
        for (int i = 0; i < words.length; i += 2) {
            names.put(Integer.valueOf(words[i]), words[i + 1]);
        }
        return names;
    }

    /** Whether the file holds the tensor's values. */
    public boolean isConstant(Tensor tensor) {
        return data(tensor).hasRemaining();
    }

    /** Returns a constant's bytes; none of an activation. */
    ByteBuffer data(Tensor tensor) {
        return content(buffers[tensor.buffer]);
    }

    /** Returns the bytes of the buffer whose table is given. */
    public ByteBuffer content(int buffer) {
        int vector = target(buffer, 0);
        require(field(buffer, 1) == 0); // behind the tables, in files above 2 GB
        return range(vector + 4, vector == 0 ? 0 : count(vector, 1));
    }

    /** Returns the constant behind a tensor: a float16 weight is expanded by a DEQUANTIZE. */
    Tensor stored(int index) {
        for (Operator operator : operators) {
            if (operator.name.equals("DEQUANTIZE") && operator.outputs.length > 0
                    && operator.outputs[0] == index && operator.inputs.length > 0) {
                return tensors[operator.inputs[0]];
            }
        }
        return tensors[index];
    }

    /** Returns tensor numbers; -1 where one is left out, if that may be. */
    private int[] numbers(int table, int slot, int lowest) {
        int[] found = ints(table, slot);
        for (int number : found) {
            require(number >= lowest && number < tensors.length);
        }
        return found;
    }

    static int product(int[] shape) {
        long product = 1;
        for (int side : shape) {
            product *= side;
            require(side >= 0 && product <= Integer.MAX_VALUE);
        }
        return (int) product;
    }

    /** Returns a shape with another last side. */
    static int[] withLast(int[] shape, int side) {
        int[] changed = Arrays.copyOf(shape, Math.max(shape.length, 1));
        changed[changed.length - 1] = side;
        return changed;
    }
}
