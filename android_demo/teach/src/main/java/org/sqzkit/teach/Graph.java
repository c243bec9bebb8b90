package org.sqzkit.teach;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** The main graph of a {@code .tflite} that anybody may have made. */
final class Graph extends Flat {
    static final int FLOAT32 = 0;
    static final int FLOAT16 = 1;
    static final int INT32 = 2;
    static final int UINT8 = 3;
    static final int INT64 = 4;
    static final int INT16 = 7;
    static final int INT8 = 9;

    /** Names in the schema by number: they go into the digest. Others cannot be taught here. */
    private static final Map<Integer, String> OPERATORS = operators("0 ADD 1 AVERAGE_POOL_2D "
            + "2 CONCATENATION 3 CONV_2D 4 DEPTHWISE_CONV_2D 6 DEQUANTIZE 9 FULLY_CONNECTED "
            + "14 LOGISTIC 17 MAX_POOL_2D 18 MUL 19 RELU 20 RELU_N1_TO_1 21 RELU6 22 RESHAPE "
            + "23 RESIZE_BILINEAR 25 SOFTMAX 28 TANH 34 PAD 39 TRANSPOSE 40 MEAN 41 SUB 42 DIV "
            + "43 SQUEEZE 45 STRIDED_SLICE 49 SPLIT 54 PRELU 55 MAXIMUM 57 MINIMUM 60 PADV2 "
            + "65 SLICE 74 SUM 76 RSQRT 83 PACK 98 LEAKY_RELU 99 SQUARED_DIFFERENCE "
            + "100 MIRROR_PAD 111 ELU 114 QUANTIZE 117 HARD_SWISH 150 GELU");
    private static final int MAX_RANK = 16;
    private static final int IDENTIFIER = 0x334c4654;

    final Tensor[] tensors;
    final Operator[] operators;
    final int[] outputs;
    /** Positions of the tables of buffers and of metadata entries. */
    final int[] buffers;
    final int[] entries;
    /** Where the offset to the list of outputs is. */
    final int outputsField;

    /** One tensor; its table's position, and what it says. */
    static final class Tensor {
        int index;
        int table;
        int[] shape;
        int type;
        int buffer;
        /** Position of the quantization's table, or 0. */
        int quantization;
        float[] scales;
        long zero;
    }

    /** One operator. */
    static final class Operator {
        int table;
        String name;
        int[] inputs;
        int[] outputs;
    }

    private Graph(ByteBuffer content) throws HeadException {
        super(content);
        if (bytes.getInt(4) != IDENTIFIER) {
            throw HeadException.unfit("it is not a .tflite file");
        }
        int root = root();
        int main = tables(root, 2)[0];
        buffers = tables(root, 4);
        entries = tables(root, 6);
        tensors = tensors(tables(main, 0));
        operators = operators(tables(main, 3), tables(root, 1));
        outputs = numbers(main, 2, 0);
        outputsField = field(main, 2);
    }

    /** Reads a graph. */
    static Graph read(ByteBuffer content) throws HeadException {
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
            int scales = tensor.quantization == 0 ? 0 : target(tensor.quantization, 2);
            int zeros = tensor.quantization == 0 ? 0 : target(tensor.quantization, 3);
            tensor.scales = new float[count(scales, 4)];
            for (int k = 0; k < tensor.scales.length; k++) {
                tensor.scales[k] = bytes.getFloat(scales + 4 + 4 * k);
            }
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
    boolean isConstant(Tensor tensor) {
        return data(tensor).hasRemaining();
    }

    /** Returns a constant's bytes; none of an activation. */
    ByteBuffer data(Tensor tensor) {
        return content(buffers[tensor.buffer]);
    }

    /** Returns the bytes of the buffer whose table is given. */
    ByteBuffer content(int buffer) {
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
