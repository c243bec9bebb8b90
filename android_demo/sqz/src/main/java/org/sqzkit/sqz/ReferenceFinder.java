package org.sqzkit.sqz;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Finds what in its base a tensor is to be compared with: output by output where outputs moved. */
final class ReferenceFinder {
    /** Tensors that one is split into. */
    private static final int MAX_PARTS = 64;
    /** Bytes that a tensor and a run of inputs take in the directory, about. */
    private static final int TENSOR_BYTES = 12;
    private static final int RUN_BYTES = 3;

    private final Directory.Tensor tensor;
    private final byte[] symbols;
    private final byte[] base;
    private final Spans.Span like;
    private final WeightsCoder.Channels follower;

    /**
     * Returns a tensor, or the tensors it is split into, with the references that save most.
     *
     * @param like the base's tensor that it is like, or null
     */
    static List<Directory.Tensor> split(Directory.Tensor tensor, byte[] symbols, byte[] base,
            Spans.Span like, WeightsCoder.Channels follower) throws SqzException {
        return new ReferenceFinder(tensor, symbols, base, like, follower).split();
    }

    /**
     * Returns the weights stream of tensors with references and without.
     *
     * @param symbols those of all tensors, one behind the other
     */
    static byte[] encode(List<Directory.Tensor> tensors, byte[] symbols, byte[] base,
            WeightsCoder.Channels follower) throws SqzException {
        BinaryCoder coder = new BinaryCoder();
        byte[] values = symbols.clone();
        WeightsCoder plain = new WeightsCoder(coder, values, false);
        WeightsCoder comparing = new WeightsCoder(coder, values, true);
        int at = 0;
        for (Directory.Tensor tensor : tensors) {
            int start = at;
            boolean compared = tensor.reference > 0;
            byte[] reference = compared ? new Reference(tensor, base).symbols() : new byte[0];
            for (int k = 0; k < reference.length; k++) {
                values[start + k] -= reference[k];
            }
            (compared ? comparing : plain).code(start, tensor.sides, reference,
                    done -> follower.coded(start + done));
            at += (int) tensor.size();
        }
        return coder.finish();
    }

    private ReferenceFinder(Directory.Tensor tensor, byte[] symbols, byte[] base, Spans.Span like,
            WeightsCoder.Channels follower) {
        this.tensor = tensor;
        this.symbols = symbols;
        this.base = base;
        this.like = like;
        this.follower = follower;
    }

    private List<Directory.Tensor> split() throws SqzException {
        List<Directory.Tensor> whole = Collections.singletonList(tensor);
        Directory.Tensor before = new Directory.Tensor();
        byte[] old = like == null ? null : oldSymbols(before);
        List<Directory.Tensor> parts = old == null ? whole : parts(before.sides, old);
        // A codebook's ranks are those of all outputs together.
        if (old == null || parts.size() > (tensor.width == 1 ? MAX_PARTS : 1)) {
            return whole;
        }
        int listed = TENSOR_BYTES * (parts.size() - 1);
        for (Directory.Tensor part : parts) {
            listed += RUN_BYTES * part.runs.length / 2;
        }
        int size = encode(parts, symbols, base, follower).length + listed;
        return size < encode(whole, symbols, base, follower).length ? parts : whole;
    }

    /** Returns the symbols of the base's tensor, null if they can be no reference. */
    private byte[] oldSymbols(Directory.Tensor before) {
        int[] sides = before.sides;
        Plan.setSides(sides, like.shape);
        if (sides[1] != tensor.sides[1] || sides[2] != tensor.sides[2]) {
            return null;
        }
        before.width = tensor.width;
        if (tensor.width > 1) {
            return sides[0] == tensor.sides[0]
                    ? Plan.symbols(base, like, before, new Codebook()) : null;
        }
        byte[] old = Arrays.copyOfRange(base, like.offset, like.end());
        for (int k = 0; k < old.length; k++) {
            old[k] -= (byte) tensor.center;
        }
        return old;
    }

    /** Returns runs of outputs, each with the base's outputs that are like it as its reference. */
    private List<Directory.Tensor> parts(int[] sides, byte[] old) {
        int outputs = tensor.sides[0];
        int inputs = tensor.sides[3];
        int baseInputs = sides[3];
        int row = symbols.length / outputs;
        int[] columns = likeInputs(sides, old);
        int[] rows = new Alike(new Alike.Rows(symbols, outputs, row, (output, k) -> output * row + k),
                new Alike.Rows(old, sides[0], row, (output, k) -> columns[k % inputs] < 0 ? -1
                        : (output * (row / inputs) + k / inputs) * baseInputs + columns[k % inputs]))
                .find();
        List<Directory.Tensor> parts = new ArrayList<>();
        for (int first = 0; first < outputs; ) {
            int end = runEnd(rows, first);
            Directory.Tensor part = new Directory.Tensor();
            System.arraycopy(tensor.sides, 0, part.sides, 0, 4);
            part.sides[0] = end - first;
            part.width = tensor.width;
            part.center = tensor.center;
            part.entries = tensor.entries;
            if (rows[first] >= 0) {
                int outputBytes = like.length / sides[0];
                part.reference = like.offset + rows[first] * outputBytes + 1;
                part.baseInputs = baseInputs;
                part.runs = runs(columns, baseInputs);
            }
            parts.add(part);
            first = end;
        }
        return parts;
    }

    /** Returns of each input the base's that it is like, -1 without one. Outputs are taken as they are. */
    private int[] likeInputs(int[] sides, byte[] old) {
        int inputs = tensor.sides[3];
        int baseInputs = sides[3];
        if (inputs != baseInputs) { // outputs that moved as well are not found then
            int length = Math.min(tensor.sides[0], sides[0]) * sides[1] * sides[2];
            return new Alike(new Alike.Rows(symbols, inputs, length, (input, k) -> k * inputs + input),
                    new Alike.Rows(old, baseInputs, length, (input, k) -> k * baseInputs + input))
                    .find();
        }
        int[] same = new int[inputs];
        for (int k = 0; k < inputs; k++) {
            same[k] = k;
        }
        return same;
    }

    /** Returns start and length of each run of inputs; where the base has none, they lie behind its own. */
    private static int[] runs(int[] columns, int baseInputs) {
        int[] runs = new int[2 * columns.length];
        int count = 0;
        for (int first = 0; first < columns.length; ) {
            int end = runEnd(columns, first);
            runs[count++] = columns[first] < 0 ? baseInputs : columns[first];
            runs[count++] = end - first;
            first = end;
        }
        return Arrays.copyOf(runs, count);
    }

    /** Returns where a run of consecutive numbers, or of -1, ends. */
    private static int runEnd(int[] numbers, int first) {
        int step = numbers[first] < 0 ? 0 : 1;
        int end = first + 1;
        while (end < numbers.length && numbers[end] == numbers[end - 1] + step) {
            end++;
        }
        return end;
    }
}
