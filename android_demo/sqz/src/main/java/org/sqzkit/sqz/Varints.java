package org.sqzkit.sqz;

import java.util.Arrays;

/** Reads numbers and bytes from front to back, never past the end. */
final class Varints {
    private final byte[] content;
    private final String name;
    private int position;

    Varints(byte[] content, int position, String name) {
        this.content = content;
        this.position = position;
        this.name = name;
    }

    /** Returns the next number, at most the given one. */
    long number(long most) throws SqzException {
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
            if (next >= 0) {
                break;
            }
        }
        if (value > most) {
            throw new SqzException(name + ": " + value + " where at most " + most + " is possible");
        }
        return value;
    }

    /** Returns the next number, at most the given one, as an int. */
    int small(long most) throws SqzException {
        return (int) number(Math.min(most, Integer.MAX_VALUE));
    }

    /** Returns where the next count bytes begin and passes over them. */
    int skip(long count) throws SqzException {
        if (count > content.length - position) {
            throw new SqzException(name + " ends early");
        }
        int start = position;
        position += (int) count;
        return start;
    }

    /** Returns a copy of the next count bytes. */
    byte[] bytes(int count) throws SqzException {
        int start = skip(count);
        return Arrays.copyOfRange(content, start, start + count);
    }

    /** Fails if anything is left. */
    void end() throws SqzException {
        if (position != content.length) {
            throw new SqzException(name + ": " + (content.length - position) + " bytes too many");
        }
    }
}
