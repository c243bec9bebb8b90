package org.sqzkit.sqz;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/** Which part of a file goes to which stream: what Python's program chooses (docs/sqz.md, "Encoders"). */
final class Plan {
    /** Elements of the smallest tensors that the weights' coder gets: of single bytes, and of wider ones. */
    private static final int MIN_WEIGHTS = 64;
    private static final int MIN_CODED = 1024;

    private static final int WEIGHTS = -1;

    private final byte[] content;
    private final Deflate.Check check;
    /** Where each piece is. */
    final List<Spans.Span> spans;
    /** What belongs to no piece. */
    final ByteArrayOutputStream rest = new ByteArrayOutputStream();
    /** Plain numbers by their kind, and the first span of each kind. */
    final List<ByteArrayOutputStream> groups = new ArrayList<>();
    final List<Spans.Span> kinds = new ArrayList<>();
    final List<Directory.Piece> pieces = new ArrayList<>();
    final List<Directory.Tensor> tensors = new ArrayList<>();
    /** The tensors' symbols, one behind the other, and their codebooks. */
    final ByteArrayOutputStream symbols = new ByteArrayOutputStream();
    final ByteArrayOutputStream codebooks = new ByteArrayOutputStream();

    /**
     * Takes a file apart at its spans, or at some of them; there are no pieces if it is not a .tflite.
     *
     * @param compared the spans that have a base to be compared with
     */
    Plan(byte[] content, List<Spans.Span> spans, Set<Spans.Span> compared, Deflate.Check check)
            throws SqzException {
        this.content = content;
        this.spans = spans;
        this.check = check;
        int end = 0;
        for (Spans.Span span : spans) {
            Directory.Piece piece = new Directory.Piece();
            piece.gap = span.offset - end;
            piece.length = span.length;
            piece.stream = addWeights(span, compared.contains(span)) ? WEIGHTS : group(span);
            pieces.add(piece);
            rest.write(content, end, piece.gap);
            end = span.end();
        }
        rest.write(content, end, content.length - end);
        Products products = new Products(content, spans);
        for (int k = 0; k < spans.size(); k++) {
            Directory.Piece piece = pieces.get(k);
            if (products.sources[k] >= 0) {
                piece.stream = 0;
                piece.source = products.sources[k];
                piece.factor = products.factors[k];
            } else if (piece.stream == WEIGHTS) {
                piece.stream = weightsStream();
            } else {
                groups.get(piece.stream - 1).write(content, spans.get(k).offset, piece.length);
            }
        }
    }

    /** Returns the number of the weights' stream, behind the groups and the codebooks. */
    int weightsStream() {
        return groups.size() + 2;
    }

    /** Returns the number of the stream of the numbers of this kind. */
    private int group(Spans.Span span) {
        int number = 0;
        while (number < kinds.size() && kinds.get(number).kind() != span.kind()) {
            number++;
        }
        if (number == kinds.size()) {
            kinds.add(span);
            groups.add(new ByteArrayOutputStream());
        }
        return number + 1;
    }

    /**
     * Adds a tensor to those that the weights' coder gets, if it is the best one for it. For single
     * bytes that the base has, too, it always is: only this coder uses the old values.
     */
    private boolean addWeights(Spans.Span span, boolean compared) throws SqzException {
        int width = span.width();
        int elements = span.length / width;
        if (span.scales || elements < (width > 1 ? MIN_CODED : MIN_WEIGHTS)) {
            return false;
        }
        Directory.Tensor tensor = new Directory.Tensor();
        tensor.width = width;
        Codebook codebook = width > 1 ? new Codebook() : null;
        byte[] own = symbols(content, span, tensor, codebook);
        if (own == null || codebook != null && 4 * codebook.size() > span.length) {
            return false;
        }
        byte[] plain = Arrays.copyOfRange(content, span.offset, span.end());
        if (!(compared && width == 1)
                && !(entropyBytes(own) < Deflate.deflate(plain, check).length * 1.02)) {
            return false;
        }
        setSides(tensor.sides, span.shape);
        tensors.add(tensor);
        symbols.write(own, 0, own.length);
        if (codebook != null) {
            tensor.entries = codebook.size();
            codebooks.write(codebook.bytes(width), 0, codebook.size() * width);
        }
        return true;
    }

    /** Returns a tensor's symbols, null if it has too many distinct elements. */
    static byte[] symbols(byte[] content, Spans.Span span, Directory.Tensor tensor,
            Codebook codebook) {
        int width = tensor.width;
        byte[] symbols = new byte[span.length / width];
        for (int k = 0; codebook != null && k < symbols.length; k++) {
            if (codebook.rank(content, span.offset + k * width, width) < 0) {
                return null;
            }
        }
        // All distinct elements are known only now, and with them the rank of each.
        for (int k = 0; k < symbols.length; k++) {
            symbols[k] = codebook == null ? content[span.offset + k]
                    : (byte) codebook.rank(content, span.offset + k * width, width);
        }
        int[] counts = counts(symbols);
        for (int k = 0; codebook == null && k < 256; k++) {
            tensor.center = counts[k] > counts[tensor.center] ? k : tensor.center;
        }
        tensor.center = codebook == null ? tensor.center : codebook.center();
        for (int k = 0; k < symbols.length; k++) {
            symbols[k] -= (byte) tensor.center;
        }
        return symbols;
    }

    private static int[] counts(byte[] values) {
        int[] counts = new int[256];
        for (byte value : values) {
            counts[value & 255]++;
        }
        return counts;
    }

    /** Returns the bytes that symbols would take if each told nothing of the others. */
    private static double entropyBytes(byte[] values) {
        double bits = 0;
        for (int count : counts(values)) {
            if (count > 0) {
                bits -= count * Math.log(count / (double) values.length) / Math.log(2);
            }
        }
        return bits / 8;
    }

    /** Sets sides to outputs, height, width and inputs; those that are missing are 1. */
    static void setSides(int[] sides, int[] shape) {
        Arrays.fill(sides, 1);
        for (int k = 0; k < shape.length; k++) {
            int fromEnd = shape.length - 1 - k;
            boolean first = k == 0 && shape.length > 1;
            int place = first ? 0 : Math.max(3 - fromEnd, 0);
            sides[place] *= shape[k];
        }
    }
}
