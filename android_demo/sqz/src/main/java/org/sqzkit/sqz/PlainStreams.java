package org.sqzkit.sqz;

import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Decodes every stream but weights (docs/sqz.md, "Methods"). */
final class PlainStreams {
    private static final String DAMAGED =
            "a deflated stream is damaged: it does not end where announced";

    private PlainStreams() {}

    /** Returns the bytes of a stream that {@link Limits} let pass. */
    static byte[] decode(byte[] archive, Directory.Stream stream) throws SqzException {
        int end = stream.start + stream.coded;
        switch (stream.method) {
            case Directory.STORED:
                return Arrays.copyOfRange(archive, stream.start, end);
            case Directory.MIXED:
                byte[] content = new byte[stream.size];
                BinaryDecoder coder = new BinaryDecoder(archive, stream.start, end);
                new MixedBytesDecoder(coder, content, stream.stride).decode();
                coder.checkEnd();
                return content;
            case Directory.PLANES:
                return joinPlanes(inflate(archive, stream.start, end, stream.size), stream.stride);
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

    private static byte[] joinPlanes(byte[] content, int stride) {
        int rows = content.length / stride;
        byte[] joined = content.clone();
        for (int plane = 0; plane < stride; plane++) {
            for (int row = 0; row < rows; row++) {
                joined[row * stride + plane] = content[plane * rows + row];
            }
        }
        return joined;
    }
}
