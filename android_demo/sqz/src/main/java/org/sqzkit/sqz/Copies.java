package org.sqzkit.sqz;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The runs that a file and its base have in common. */
final class Copies {
    /** Bytes of a run that goes on where the last one stood; the least that a piece is worth. */
    static final int MIN_ALIGNED = 6;
    /** Bytes by which a run is found, and of one anywhere else: naming its place takes some. */
    private static final int SEED = 8;
    private static final int MIN_MOVED = 24;
    private static final int MIN_BITS = 10;
    private static final int MAX_BITS = 22;
    private static final int MAX_RUNS = 1 << 15;

    /** A run of bytes. */
    static final class Run {
        /** Where it begins in the file, and in the base. */
        final int at;
        final int place;
        final int length;

        Run(int at, int place, int length) {
            this.at = at;
            this.place = place;
            this.length = length;
        }

        int end() {
            return at + length;
        }

        /** How much farther on it is in the base. */
        int distance() {
            return place - at;
        }
    }

    private final byte[] content;
    private final byte[] base;
    /** The first place in the base of each hash, -1 without one. */
    private final int[] first;
    private final List<Run> found = new ArrayList<>();
    private int distance;

    /**
     * Returns the runs in the order of the file; none overlap. One that goes on at the distance of the
     * last one is preferred.
     *
     * @param leftOut parts of the file that are not looked at, in order
     */
    static List<Run> find(byte[] content, byte[] base, List<Spans.Span> leftOut) {
        Copies copies = new Copies(content, base);
        int at = 0;
        for (Spans.Span span : leftOut) {
            copies.find(at, span.offset);
            at = span.end();
        }
        copies.find(at, content.length);
        return copies.found;
    }

    private Copies(byte[] content, byte[] base) {
        this.content = content;
        this.base = base;
        int bits = MIN_BITS;
        while (bits < MAX_BITS && 1 << bits < base.length) {
            bits++;
        }
        first = new int[1 << bits];
        Arrays.fill(first, -1);
        for (int place = base.length - SEED; place >= 0; place--) {
            first[hash(base, place)] = place;
        }
    }

    private int hash(byte[] bytes, int at) {
        int key = 0;
        for (int k = 0; k < SEED; k++) {
            key = key * 0x2F0B4C47 + (bytes[at + k] & 255) + 1;
        }
        return (MixedBytesCoder.spread(key) << 8 ^ key) & (first.length - 1);
    }

    /** Adds the runs of a part of the file. */
    private void find(int start, int stop) {
        int end = start;
        for (int at = start; at < stop && found.size() < MAX_RUNS; ) {
            int place = at + distance;
            int length = place >= 0 && place < base.length ? common(at, stop, place) : 0;
            if (length < MIN_ALIGNED) {
                place = at + SEED <= stop ? first[hash(content, at)] : -1;
                length = place >= 0 ? common(at, stop, place) : 0;
            }
            if (length < (place == at + distance ? MIN_ALIGNED : MIN_MOVED)) {
                at++;
                continue;
            }
            int back = 0;
            while (at - back > end && place > back
                    && content[at - back - 1] == base[place - back - 1]) {
                back++;
            }
            found.add(new Run(at - back, place - back, length + back));
            distance = place - at;
            at += length;
            end = at;
        }
    }

    /** Returns how many bytes from {@code at} to the end are those of the base from {@code place} on. */
    private int common(int at, int end, int place) {
        int most = Math.min(end - at, base.length - place);
        int count = 0;
        while (count < most && content[at + count] == base[place + count]) {
            count++;
        }
        return count;
    }
}
