package org.sqzkit.sqz;

/**
 * Deflates as zlib does at level 9 with memory level 9, byte for byte.
 *
 * <p>An archive is to have the same bytes wherever it is made. {@link java.util.zip.Deflater} cannot set
 * the memory level, and phones have versions of zlib that find other matches.
 */
final class Deflate {
    private static final int MIN_MATCH = 3;
    private static final int MAX_MATCH = 258;
    private static final int WINDOW = 1 << 15;
    /** Bytes that zlib wants to know ahead of where it is. */
    private static final int AHEAD = MAX_MATCH + MIN_MATCH + 1;
    private static final int MAX_DISTANCE = WINDOW - AHEAD;
    private static final int MAX_CHAIN = 4096;
    /** A match of this length is good: a quarter of the chain is searched for a longer one. */
    private static final int GOOD_MATCH = 32;
    /** A match of three bytes from farther away takes more than three literals. */
    private static final int FAR = 4096;
    /** Bytes between the points where a loose stream is flushed. */
    private static final int FLUSH_BYTES = 64 << 10;

    private final byte[] content;
    private final Check check;
    private final DeflateBlock block;
    /** The latest place of each hash of three bytes, and the place before each; 0 is none. */
    private final int[] head = new int[1 << 16];
    private final int[] previous = new int[WINDOW];
    /** Places before this one are in {@link #head}. */
    private int known;
    /** Where the next byte is, and where the block began. */
    private int at;
    private int start;
    /** What zlib would have in its window of twice {@link #WINDOW} bytes: from the first to the last. */
    private int first;
    private int last;
    private int match;

    /** Called now and then, at least once in 8 MiB; may stop the work. */
    interface Check {
        void check() throws SqzException;
    }

    /** Returns content as a raw deflate stream. */
    static byte[] deflate(byte[] content, Check check) throws SqzException {
        Deflate deflate = new Deflate(content, check);
        deflate.code(content.length);
        return deflate.finish();
    }

    /** Returns the same, but at least a thousandth as long: no archive may expand much further. */
    static byte[] deflateLoosely(byte[] content, Check check) throws SqzException {
        Deflate deflate = new Deflate(content, check);
        for (int end = 0; end < content.length; ) {
            end = (int) Math.min(end + (long) FLUSH_BYTES, content.length);
            deflate.code(end);
            if (!deflate.block.isEmpty()) {
                deflate.flush(false);
            }
            deflate.block.writeStored(0, 0, false);
        }
        return deflate.finish();
    }

    private Deflate(byte[] content, Check check) {
        this.content = content;
        this.check = check;
        block = new DeflateBlock(content);
    }

    private byte[] finish() throws SqzException {
        flush(true);
        return block.finish();
    }

    /** Codes the bytes before end as if those behind it were not known yet. */
    private void code(int end) throws SqzException {
        boolean literal = false; // whether the byte before is still to be written
        int length = MIN_MATCH - 1;
        while (readAhead(end)) {
            int former = length;
            int formerMatch = match;
            length = former < MAX_MATCH ? findMatch(end, former) : MIN_MATCH - 1;
            if (length == MIN_MATCH && at - match > FAR) {
                length = MIN_MATCH - 1;
            }
            if (former >= MIN_MATCH && length <= former) {
                boolean full = block.addMatch(former, at - 1 - formerMatch);
                at += former - 1;
                literal = false;
                length = MIN_MATCH - 1;
                if (full) {
                    flush(false);
                }
                continue;
            }
            if (literal && block.addLiteral(content[at - 1])) {
                flush(false);
            }
            literal = true;
            at++;
        }
        if (literal) {
            block.addLiteral(content[at - 1]);
        }
    }

    /** Moves zlib's window on; returns whether there is another byte before end. */
    private boolean readAhead(int end) {
        while (last - at < AHEAD) {
            if (at - first >= WINDOW + MAX_DISTANCE) {
                first += WINDOW;
            }
            if (last == end) {
                break;
            }
            last = (int) Math.min(first + 2L * WINDOW, end);
        }
        return at < end;
    }

    /** Returns the length of the longest match, MIN_MATCH - 1 without one; {@link #match} is where. */
    private int findMatch(int end, int former) {
        int most = Math.min(MAX_MATCH, end - at);
        if (most < MIN_MATCH) {
            return MIN_MATCH - 1;
        }
        for (; known < at; known++) {
            remember(known);
        }
        known++;
        int found = remember(at);
        if (found == 0 || at - found > MAX_DISTANCE) {
            return MIN_MATCH - 1;
        }
        return former >= most ? most : longest(found, most, former);
    }

    /** Returns the length of the longest match up to most if it is longer than former, else former. */
    private int longest(int found, int most, int former) {
        // Nearly all of the time goes into this loop.
        byte[] bytes = content;
        int here = at;
        int best = former;
        int chain = former >= GOOD_MATCH ? MAX_CHAIN >> 2 : MAX_CHAIN;
        int nearest = Math.max(here - MAX_DISTANCE, 0);
        int place = found;
        byte beyond = bytes[here + best];
        byte end = bytes[here + best - 1];
        do {
            if (bytes[place + best] == beyond && bytes[place + best - 1] == end) {
                int length = 0;
                while (length < most && bytes[place + length] == bytes[here + length]) {
                    length++;
                }
                if (length > best) {
                    match = place;
                    best = length;
                    if (length >= most) {
                        break;
                    }
                    beyond = bytes[here + best];
                    end = bytes[here + best - 1];
                }
            }
            place = previous[place & WINDOW - 1];
        } while (place > nearest && --chain != 0);
        return best;
    }

    /** Returns the latest place with the hash of this one, 0 if there is none, and remembers this one. */
    private int remember(int place) {
        int hash = (content[place] << 12 ^ (content[place + 1] & 255) << 6 ^ content[place + 2] & 255)
                & 0xFFFF;
        int before = head[hash];
        previous[place & WINDOW - 1] = before;
        head[hash] = place;
        return before;
    }

    private void flush(boolean isLast) throws SqzException {
        check.check();
        // Where zlib no longer has the bytes of the block it cannot store them.
        block.flush(start, at - start, start >= first, isLast);
        start = at;
    }
}
