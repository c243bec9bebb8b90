package org.sqzkit.sqz;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Which part of a file goes to which stream: what Python's program chooses (docs/sqz.md, "Encoders"). */
final class Plan {
    /** Elements of the smallest tensors that the weights' coder gets: of single bytes, and of wider ones. */
    private static final int MIN_WEIGHTS = 64;
    private static final int MIN_CODED = 1024;
    /** Scales before and behind others that may be a factor times those. */
    private static final int NEAR = 3;
    /** Steps from the likeliest factor to the last that is tried. */
    private static final int STEPS = 8;

    private final byte[] content;
    private final Deflate.Check check;
    private final List<Spans.Span> spans;
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

    /** Takes a file apart; there are no pieces if it is not a .tflite. */
    Plan(byte[] content, Deflate.Check check) throws SqzException {
        this.content = content;
        this.check = check;
        spans = Spans.find(content);
        int end = 0;
        for (Spans.Span span : spans) {
            Directory.Piece piece = new Directory.Piece();
            piece.gap = span.offset - end;
            piece.length = span.length;
            piece.stream = addWeights(span) ? -1 : group(span);
            pieces.add(piece);
            rest.write(content, end, piece.gap);
            end = span.end();
        }
        rest.write(content, end, content.length - end);
        findProducts();
        for (int k = 0; k < spans.size(); k++) {
            Directory.Piece piece = pieces.get(k);
            if (piece.stream < 0) {
                piece.stream = groups.size() + 2;
            } else if (piece.stream > 0) {
                groups.get(piece.stream - 1).write(content, spans.get(k).offset, piece.length);
            }
        }
    }

    /** Returns the number of the stream of the numbers of this kind. */
    private int group(Spans.Span span) {
        int number = 0;
        while (number < kinds.size() && !kinds.get(number).isOfKind(span)) {
            number++;
        }
        if (number == kinds.size()) {
            kinds.add(span);
            groups.add(new ByteArrayOutputStream());
        }
        return number + 1;
    }

    /** Adds a tensor to those that the weights' coder gets, if it is the best one for it. */
    private boolean addWeights(Spans.Span span) throws SqzException {
        int width = span.width();
        int elements = span.length / width;
        if (span.scales || elements < (width > 1 ? MIN_CODED : MIN_WEIGHTS)) {
            return false;
        }
        Directory.Tensor tensor = new Directory.Tensor();
        tensor.width = width;
        Codebook codebook = width > 1 ? new Codebook() : null;
        byte[] own = symbols(span, tensor, codebook);
        if (own == null || codebook != null && 4 * codebook.size() > span.length) {
            return false;
        }
        byte[] plain = Arrays.copyOfRange(content, span.offset, span.end());
        if (!(entropyBytes(own) < Deflate.deflate(plain, check).length * 1.02)) {
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
    private byte[] symbols(Spans.Span span, Directory.Tensor tensor, Codebook codebook) {
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
    private static void setSides(int[] sides, int[] shape) {
        Arrays.fill(sides, 1);
        for (int k = 0; k < shape.length; k++) {
            int fromEnd = shape.length - 1 - k;
            boolean first = k == 0 && shape.length > 1;
            int place = first ? 0 : Math.max(3 - fromEnd, 0);
            sides[place] *= shape[k];
        }
    }

    /** Finds scales that are a factor times others: a bias's are the input's times the kernel's. */
    private void findProducts() {
        List<Integer> vectors = new ArrayList<>();
        for (int k = 0; k < spans.size(); k++) {
            if (spans.get(k).scales) {
                vectors.add(k);
            }
        }
        boolean[] isSource = new boolean[spans.size()];
        for (int at = 0; at < vectors.size(); at++) {
            Directory.Piece piece = pieces.get(vectors.get(at));
            int last = Math.min(at + NEAR, vectors.size() - 1);
            for (int near = Math.max(at - NEAR, 0); near <= last && piece.stream != 0; near++) {
                int source = vectors.get(near);
                boolean free = near != at && pieces.get(source).stream != 0 && !isSource[vectors.get(at)];
                float factor = free && pieces.get(source).length == piece.length
                        ? factor(spans.get(source), spans.get(vectors.get(at))) : Float.NaN;
                if (factor == factor) {
                    piece.stream = 0;
                    piece.source = source;
                    piece.factor = factor;
                    isSource[source] = true;
                }
            }
        }
    }

    /** Returns the number that times the source is exactly the product, NaN if there is none. */
    private float factor(Spans.Span source, Spans.Span product) {
        double[] ratios = new double[source.length / 4];
        for (int k = 0; k < ratios.length; k++) {
            float one = number(source, k);
            float other = number(product, k);
            if (!(one > 0 && one <= Float.MAX_VALUE && Math.abs(other) <= Float.MAX_VALUE)) {
                return Float.NaN;
            }
            ratios[k] = (double) other / one;
        }
        Arrays.sort(ratios);
        int half = ratios.length / 2;
        double median = ratios.length % 2 != 0 ? ratios[half] : (ratios[half - 1] + ratios[half]) / 2;
        float nearest = (float) median;
        float step = nearest < 0 ? -Math.ulp(nearest) : Math.ulp(nearest);
        for (int k = -STEPS; k <= STEPS; k++) {
            float factor = nearest + k * step;
            if (Math.abs(factor) <= Float.MAX_VALUE && isProduct(source, factor, product)) {
                return factor;
            }
        }
        return Float.NaN;
    }

    private boolean isProduct(Spans.Span source, float factor, Spans.Span product) {
        for (int k = 0; k < source.length / 4; k++) {
            int made = Float.floatToRawIntBits(number(source, k) * factor);
            if (made != SqzDecoder.littleEndian(content, product.offset + 4 * k)) {
                return false;
            }
        }
        return true;
    }

    private float number(Spans.Span span, int k) {
        return Float.intBitsToFloat(SqzDecoder.littleEndian(content, span.offset + 4 * k));
    }
}
