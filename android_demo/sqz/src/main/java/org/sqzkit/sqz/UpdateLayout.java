package org.sqzkit.sqz;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;

/** The pieces of an update, and the bytes between them, laid down in the order of the file. */
final class UpdateLayout {
    /** Stands for the number of the bridges' stream. */
    static final int BRIDGE = -2;
    /** Bytes between and of copies that may become one sum, a bridge, and the copies that one takes. */
    private static final int MAX_GAP = 64;
    private static final int MAX_BRIDGED = 1024;
    private static final int MIN_BRIDGED = 4;

    private final Comparison pair;
    private final boolean bridged;
    private int end;
    final List<Directory.Piece> pieces = new ArrayList<>();
    /** What belongs to no piece. */
    final ByteArrayOutputStream rest = new ByteArrayOutputStream();
    /** What is to be added to the base's bytes where copies follow each other closely. */
    final ByteArrayOutputStream bridges = new ByteArrayOutputStream();

    /** Makes an empty one, with bridges or without. */
    UpdateLayout(Comparison pair, boolean bridged) {
        this.pair = pair;
        this.bridged = bridged;
    }

    /** Adds what lies before the next piece, or before the end of the file. */
    void addUntil(int at) {
        List<Copies.Run> group = new ArrayList<>();
        for (Copies.Run run : pair.within(end, at)) {
            if (!group.isEmpty() && !isNear(group.get(group.size() - 1), run)) {
                addRuns(group);
                group.clear();
            }
            group.add(run);
        }
        addRuns(group);
        rest.write(pair.content, end, at - end);
    }

    /** Adds a piece; what lies before it was added. */
    void add(int at, Directory.Piece piece) {
        piece.gap = at - end;
        pieces.add(piece);
        end = at + piece.length;
    }

    /** Returns whether a run follows another closely, as far apart in the file as in the base. */
    private static boolean isNear(Copies.Run one, Copies.Run next) {
        return next.at - one.end() <= MAX_GAP && Math.max(one.length, next.length) <= MAX_BRIDGED
                && next.distance() == one.distance();
    }

    private void addRuns(List<Copies.Run> runs) {
        if (bridged && runs.size() >= MIN_BRIDGED) {
            addBridge(runs.get(0), runs.get(runs.size() - 1).end());
            return;
        }
        for (Copies.Run run : runs) {
            addFromBase(run.at, run.end(), run.distance(), 0);
        }
    }

    /** Adds one sum in place of runs and what lies between them. */
    private void addBridge(Copies.Run first, int stop) {
        int distance = first.distance();
        int width = distance % 4 != 0 ? 1 : 4;
        int start = (first.at + width - 1) / width * width;
        int last = stop / width * width;
        addFromBase(first.at, start, distance, 0);
        subtract(pair, start, last - start, start + distance, width, bridges);
        addFromBase(start, last, distance, width);
        addFromBase(last, stop, distance, 0);
    }

    /** Adds a copy, or a sum if it has a width. */
    private void addFromBase(int at, int stop, int distance, int width) {
        if (at == stop) {
            return;
        }
        Directory.Piece piece = new Directory.Piece();
        piece.length = stop - at;
        piece.stream = width > 0 ? BRIDGE : Directory.COPY;
        piece.sumWidth = width;
        piece.place = at + distance;
        rest.write(pair.content, end, at - end);
        add(at, piece);
    }

    /** Writes what is to be added to the base's integers to give those of the file. */
    static void subtract(Comparison pair, int at, int length, int place, int width,
            ByteArrayOutputStream out) {
        int difference = 0;
        for (int k = 0; k < length; k++) {
            int borrowed = k % width > 0 ? difference >> 8 : 0;
            difference = borrowed + (pair.content[at + k] & 255) - (pair.base[place + k] & 255);
            out.write(difference);
        }
    }
}
