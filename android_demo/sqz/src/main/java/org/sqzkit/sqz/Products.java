package org.sqzkit.sqz;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Scales that are a factor times others: a bias's are the input's times the kernel's. */
final class Products {
    /** Scales before and behind others that may be a factor times those. */
    private static final int NEAR = 3;
    /** Steps from the likeliest factor to the last that is tried. */
    private static final int STEPS = 8;

    private final byte[] content;
    /** Of each span the number of the span that it is a multiple of; -1 if there is none. */
    final int[] sources;
    final float[] factors;

    /** Finds them among the spans of a file. */
    Products(byte[] content, List<Spans.Span> spans) {
        this.content = content;
        sources = new int[spans.size()];
        factors = new float[spans.size()];
        Arrays.fill(sources, -1);
        List<Integer> vectors = new ArrayList<>();
        for (int k = 0; k < spans.size(); k++) {
            if (spans.get(k).scales) {
                vectors.add(k);
            }
        }
        boolean[] isSource = new boolean[spans.size()];
        for (int at = 0; at < vectors.size(); at++) {
            int number = vectors.get(at);
            int last = Math.min(at + NEAR, vectors.size() - 1);
            for (int near = Math.max(at - NEAR, 0); near <= last && sources[number] < 0; near++) {
                int source = vectors.get(near);
                boolean free = near != at && sources[source] < 0 && !isSource[number];
                float factor = free && spans.get(source).length == spans.get(number).length
                        ? factor(spans.get(source), spans.get(number)) : Float.NaN;
                if (!Float.isNaN(factor)) {
                    sources[number] = source;
                    factors[number] = factor;
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
