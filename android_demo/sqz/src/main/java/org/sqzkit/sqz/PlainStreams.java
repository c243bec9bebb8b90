package org.sqzkit.sqz;

import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Codes and decodes every stream but weights (docs/sqz.md, "Methods"). */
final class PlainStreams {
    private static final String DAMAGED =
            "a deflated stream is damaged: it does not end where announced";

    private PlainStreams() {}

    /** Returns the smallest coding of content, whose elements have stride bytes. */
    static Directory.Stream encode(byte[] content, int stride, Deflate.Check check)
            throws SqzException {
        Directory.Stream best = stream(Directory.STORED, 1, content.length, content);
        best = smaller(best, Directory.DEFLATE, 1, Deflate.deflate(content, check));
        if (stride > 1) {
            byte[] planes = Deflate.deflate(transpose(content, stride, true), check);
            best = smaller(best, Directory.PLANES, stride, planes);
        }
        if (content.length > 0 && content.length <= Limits.MAX_MIXED) {
            BinaryCoder coder = new BinaryCoder();
            new MixedBytesCoder(coder, content, stride).code();
            byte[] mixed = coder.finish();
            if (content.length <= Limits.maxDeclared(mixed.length)) {
                best = smaller(best, Directory.MIXED, stride, mixed);
            }
        }
        return best;
    }

    private static Directory.Stream smaller(Directory.Stream best, int method, int stride,
            byte[] coded) {
        return coded.length < best.coded ? stream(method, stride, best.size, coded) : best;
    }

    /** Returns a stream that is to be written. */
    static Directory.Stream stream(int method, int stride, int size, byte[] coded) {
        Directory.Stream stream = new Directory.Stream();
        stream.method = method;
        stream.stride = stride;
        stream.size = size;
        stream.coded = coded.length;
        stream.content = coded;
        return stream;
    }

    /** Returns the bytes of a stream that {@link Limits} let pass. */
    static byte[] decode(byte[] archive, Directory.Stream stream) throws SqzException {
        int end = stream.start + stream.coded;
        switch (stream.method) {
            case Directory.STORED:
                return Arrays.copyOfRange(archive, stream.start, end);
            case Directory.MIXED:
                byte[] content = new byte[stream.size];
                BinaryCoder coder = new BinaryCoder(archive, stream.start, end);
                new MixedBytesCoder(coder, content, stream.stride).code();
                coder.checkEnd();
                return content;
            case Directory.PLANES:
                return transpose(inflate(archive, stream.start, end, stream.size), stream.stride, false);
            default:
                return inflate(archive, stream.start, end, stream.size);
        }
    }

    /** Returns the bytes of a raw deflate stream that must end where it is said to, with size bytes. */
    static byte[] inflate(byte[] archive, int start, int end, int size) throws SqzException {
        Inflater inflater = new Inflater(true);
        try {
            byte[] content = new byte[size];
            byte[] beyond = new byte[1];
            boolean fed = false;
            int at = 0;
            inflater.setInput(archive, start, end - start);
            while (!inflater.finished()) {
                int count = at < size
                        ? inflater.inflate(content, at, size - at)
                        : inflater.inflate(beyond);
                at += count;
                if (at > size) {
                    throw new SqzException(DAMAGED);
                }
                if (count == 0 && !inflater.finished()) {
                    if (fed || !inflater.needsInput()) {
                        throw new SqzException(DAMAGED);
                    }
                    // Old versions of zlib ask for a byte behind a raw stream, and give it back.
                    inflater.setInput(beyond);
                    fed = true;
                }
            }
            if (at != size || inflater.getBytesRead() != end - start) {
                throw new SqzException(DAMAGED);
            }
            return content;
        } catch (DataFormatException error) {
            throw new SqzException("a deflated stream is damaged: " + error.getMessage());
        } finally {
            inflater.end();
        }
    }

    /** Splits elements into planes of their first bytes, their second ones, ..., or joins them. */
    private static byte[] transpose(byte[] content, int stride, boolean split) {
        int rows = content.length / stride;
        byte[] result = content.clone();
        for (int plane = 0; plane < stride; plane++) {
            for (int row = 0; row < rows; row++) {
                int joined = row * stride + plane;
                int apart = plane * rows + row;
                result[split ? apart : joined] = content[split ? joined : apart];
            }
        }
        return result;
    }
}
