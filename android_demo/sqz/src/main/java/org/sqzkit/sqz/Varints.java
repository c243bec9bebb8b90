package org.sqzkit.sqz;

import java.io.ByteArrayOutputStream;

/** Reads numbers and bytes from front to back, never past the end; and writes numbers. */
final class Varints {
    private final byte[] content;
    private final String name;
    private int position;

    Varints(byte[] content, int position, String name) {
        this.content = content;
        this.position = position;
        this.name = name;
    }

    /** Writes a number that is not negative: seven bits a byte, lowest first; the top bit says more. */
    static void write(ByteArrayOutputStream out, long number) {
        long left = number;
        while (left > 127) {
            out.write((int) left & 127 | 128);
            left >>= 7;
        }
        out.write((int) left);
    }

    /** Returns the next number, at most the given one. */
    int number(int most) throws SqzException {
        long value = next();
        if (value > most) {
            throw new SqzException(name + ": " + value + " where at most " + most + " is possible");
        }
        return (int) value;
    }

    /** Returns the next number, which may be any. */
    long next() throws SqzException {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            if (shift > 56) {
                throw new SqzException(name + ": a number of more than nine bytes");
            }
            if (position >= content.length) {
                throw new SqzException(name + " ends early");
            }
            int next = content[position++];
            value |= (next & 127L) << shift;
            if (next == 0 && shift > 0) {
                throw new SqzException(name + ": " + value + " in more bytes than it needs");
            }
            if (next >= 0) {
                return value;
            }
        }
    }

    /** Returns the next number, or the largest int for a larger one. */
    int clamped() throws SqzException {
        return (int) Math.min(next(), Integer.MAX_VALUE);
    }

    /** Returns the next four bytes as a number, lowest first. */
    int littleEndian() throws SqzException {
        return SqzDecoder.littleEndian(content, skip(4));
    }

    /** Returns where the next count bytes begin and passes over them. */
    int skip(int count) throws SqzException {
        if (count > content.length - position) {
            throw new SqzException(name + " ends early");
        }
        int start = position;
        position += count;
        return start;
    }

    /** Fails if anything is left. */
    void end() throws SqzException {
        if (position != content.length) {
            throw new SqzException(name + ": " + (content.length - position) + " bytes too many");
        }
    }
}
