package org.sqzkit.sqz;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A file and its base: what both have, and which numbers of the file are to be coded apart. */
final class Comparison {
    /** Bytes that a piece takes in the directory, about. */
    private static final int PIECE_BYTES = 5;
    /** Bytes of numbers that are worth a piece of their own. */
    private static final int MIN_SPAN = 64;
    /** Bytes that changed numbers must take as copies to be coded apart. */
    private static final int MIN_CHANGE = 24;

    final byte[] content;
    final byte[] base;
    /** What the base has of the file, in the order of the file, beside the changed spans. */
    final List<Copies.Run> runs;
    /** The spans that take less apart than copied. */
    final List<Spans.Span> changed = new ArrayList<>();
    /** The base's span that a span is like: that of its name, else of its number among its kind. */
    final Map<Spans.Span, Spans.Span> likes = new HashMap<>();

    Comparison(byte[] content, byte[] base) {
        this.content = content;
        this.base = base;
        List<Spans.Span> spans = Spans.find(content);
        spans.removeIf(span -> span.length < MIN_SPAN);
        findLikes(spans);
        boolean[] apart = new boolean[spans.size()];
        int[] sources = new Products(content, spans).sources;
        for (int k = 0; k < apart.length; k++) {
            Spans.Span like = likes.get(spans.get(k));
            apart[k] |= like != null && differs(spans.get(k), like);
            if (apart[k] && sources[k] >= 0) {
                // A product's source must be a piece of its own, even if it is in the base.
                apart[sources[k]] = true;
            }
        }
        List<Spans.Span> leftOut = new ArrayList<>();
        for (int k = 0; k < apart.length; k++) {
            if (apart[k]) {
                leftOut.add(spans.get(k));
            }
        }
        runs = Copies.find(content, base, leftOut);
        for (int k = 0; k < apart.length; k++) {
            if (apart[k] || isNew(spans.get(k))) {
                changed.add(spans.get(k));
            }
        }
    }

    private void findLikes(List<Spans.Span> spans) {
        Map<String, Spans.Span> known = new HashMap<>();
        int[] counts = new int[Spans.KINDS];
        for (Spans.Span span : Spans.find(base)) {
            known.put(span.kind() + " named " + span.name(base), span);
            known.put(span.kind() + " number " + counts[span.kind()]++, span);
        }
        counts = new int[Spans.KINDS];
        for (Spans.Span span : spans) {
            Spans.Span numbered = known.get(span.kind() + " number " + counts[span.kind()]++);
            Spans.Span like = known.get(span.kind() + " named " + span.name(content));
            if (like != null || numbered != null) {
                likes.put(span, like != null ? like : numbered);
            }
        }
    }

    /** Returns whether more differs between spans of one length than copies can skip. */
    private boolean differs(Spans.Span span, Spans.Span like) {
        int differing = 0;
        for (int k = 0; k < span.length && span.length == like.length; k++) {
            differing += content[span.offset + k] != base[like.offset + k] ? 1 : 0;
        }
        return (1L + PIECE_BYTES) * differing >= MIN_CHANGE;
    }

    /** Returns whether copies give too little of a span. */
    private boolean isNew(Spans.Span span) {
        List<Copies.Run> own = within(span.offset, span.end());
        int left = span.length;
        for (Copies.Run run : own) {
            left -= run.length;
        }
        return left > 0 && left + PIECE_BYTES * own.size() >= MIN_CHANGE;
    }

    /** Returns the runs in a part of the file, cut off at both ends. */
    List<Copies.Run> within(int start, int end) {
        int first = 0;
        for (int last = runs.size(); first < last; ) {
            int middle = (first + last) >>> 1;
            if (runs.get(middle).end() > start) {
                last = middle;
            } else {
                first = middle + 1;
            }
        }
        List<Copies.Run> found = new ArrayList<>();
        for (int k = first; k < runs.size() && runs.get(k).at < end; k++) {
            Copies.Run run = runs.get(k);
            int at = Math.max(start, run.at);
            int length = Math.min(run.end(), end) - at;
            if (length >= Copies.MIN_ALIGNED) {
                found.add(new Copies.Run(at, at + run.distance(), length));
            }
        }
        return found;
    }
}
