package org.sqzkit.sqz;

import java.io.ByteArrayOutputStream;
import java.util.List;

/** What the directory of an archive lists (docs/sqz.md, "Directory"). */
final class Directory {
    static final int STORED = 0;
    static final int DEFLATE = 1;
    static final int MIXED = 2;
    static final int PLANES = 3;
    static final int WEIGHTS = 4;

    /** The stream of a piece that is a run of the base. */
    static final int COPY = -1;

    private static final int MAX_STREAMS = 64;
    private static final int MAX_SPANS = 1 << 16;
    private static final int MAX_SIZE = SqzDecoder.MAX_SIZE;

    /** A coded run of bytes. */
    static final class Stream {
        int method;
        int stride;
        int size;
        int coded;
        int start;
        /** The coded bytes, of a stream that is to be written. */
        byte[] content;
    }

    /** A tensor of the weights stream. */
    static final class Tensor {
        final int[] sides = new int[4];
        int width;
        int center;
        int entries;
        /** Where the base has the tensor's values, plus 1; 0 without a reference. */
        int reference;
        int baseInputs;
        /** Start and length of each run of the base's inputs, in turn. */
        int[] runs = {};

        /** Returns the number of weights, 2^62 for more than any archive may have. */
        long size() {
            long size = 1;
            for (int side : sides) {
                size = size > MAX_SIZE ? 1L << 62 : size * side;
            }
            return size;
        }
    }

    /** A run of the file that does not come from stream 0. */
    static final class Piece {
        int gap;
        int length;
        int stream;
        int source;
        float factor;
        /** Bytes of the integers that are added to the base's; 0: none are. */
        int sumWidth;
        /** Where the base has the bytes of a copy, or those that are added. */
        long place;
    }

    final Stream[] streams;
    final Tensor[] tensors;
    final Piece[] pieces;

    private final int baseSize;
    private int runsLeft = MAX_SPANS;

    /**
     * Reads the lists.
     *
     * @param baseSize bytes of an update's base, -1 for an archive that is not an update
     */
    Directory(byte[] content, int archiveLength, int baseSize) throws SqzException {
        this.baseSize = baseSize;
        Varints reader = new Varints(content, 0, "the archive's directory");
        streams = new Stream[reader.number(MAX_STREAMS)];
        for (int k = 0; k < streams.length; k++) {
            streams[k] = stream(reader, archiveLength);
        }
        tensors = new Tensor[reader.number(Math.min(MAX_SPANS, content.length))];
        for (int k = 0; k < tensors.length; k++) {
            tensors[k] = tensor(reader);
        }
        pieces = new Piece[reader.number(Math.min(MAX_SPANS, content.length))];
        long at = 0;
        for (int k = 0; k < pieces.length; k++) {
            pieces[k] = piece(reader, at);
            at = pieces[k].place + pieces[k].length;
        }
        reader.end();
    }

    /** Lists what an archive is to hold. */
    Directory(List<Stream> streams, List<Tensor> tensors, List<Piece> pieces) {
        this.streams = streams.toArray(new Stream[0]);
        this.tensors = tensors.toArray(new Tensor[0]);
        this.pieces = pieces.toArray(new Piece[0]);
        baseSize = -1; // only a reader looks at it
    }

    /**
     * Returns the lists of an archive.
     *
     * @param updates null if it is not an update
     */
    byte[] write(SqzEncoder.Updates updates) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        write(out, streams.length);
        for (Stream stream : streams) {
            write(out, stream.method, stream.stride, stream.size, stream.coded);
        }
        write(out, tensors.length);
        for (Tensor tensor : tensors) {
            write(out, tensor.sides);
            write(out, tensor.width, tensor.center, tensor.entries);
            if (updates != null) {
                updates.writeReference(out, tensor);
            }
        }
        write(out, pieces.length);
        long at = 0;
        for (Piece piece : pieces) {
            write(out, piece.gap, piece.length, piece.stream == COPY ? streams.length : piece.stream);
            if (piece.stream == 0) {
                write(out, piece.source);
                int factor = Float.floatToRawIntBits(piece.factor);
                for (int shift = 0; shift < 32; shift += 8) {
                    out.write(factor >> shift);
                }
            }
            if (updates != null) {
                at = updates.writePlace(out, piece, at + piece.gap);
            }
        }
        return out.toByteArray();
    }

    static void write(ByteArrayOutputStream out, int... numbers) {
        for (int number : numbers) {
            Varints.write(out, number);
        }
    }

    /** Returns the number of the weights stream, -1 if there is none. */
    int weightsStream() {
        for (int k = streams.length - 1; k >= 0; k--) {
            if (streams[k].method == WEIGHTS) {
                return k;
            }
        }
        return -1;
    }

    private static Stream stream(Varints reader, int archiveLength) throws SqzException {
        Stream stream = new Stream();
        stream.method = reader.number(255);
        stream.stride = reader.number(255);
        stream.size = reader.number(MAX_SIZE);
        stream.coded = reader.number(archiveLength);
        return stream;
    }

    private Tensor tensor(Varints reader) throws SqzException {
        Tensor tensor = new Tensor();
        for (int k = 0; k < 4; k++) {
            tensor.sides[k] = reader.number(MAX_SIZE);
        }
        tensor.width = reader.number(8);
        tensor.center = reader.number(255);
        tensor.entries = reader.number(256);
        tensor.reference = baseSize < 0 ? 0 : reader.clamped();
        if (tensor.reference > 0) {
            tensor.baseInputs = reader.clamped();
            int count = reader.number(runsLeft);
            runsLeft -= count;
            tensor.runs = new int[2 * count];
            for (int k = 0; k < 2 * count; k++) {
                tensor.runs[k] = reader.clamped();
            }
        }
        return tensor;
    }

    /** Reads a piece; the base is like the file from {@code at} on if there is no step. */
    private Piece piece(Varints reader, long at) throws SqzException {
        boolean update = baseSize >= 0;
        Piece piece = new Piece();
        piece.gap = reader.number(MAX_SIZE);
        piece.length = reader.number(MAX_SIZE);
        piece.stream = reader.number(update ? streams.length : Math.max(streams.length - 1, 0));
        piece.place = at + piece.gap;
        if (update && piece.stream == streams.length) {
            piece.stream = COPY;
        } else if (piece.stream == 0) {
            piece.source = reader.number(MAX_SPANS);
            piece.factor = Float.intBitsToFloat(reader.littleEndian());
        } else if (update) {
            piece.sumWidth = reader.number(8);
        }
        if (piece.stream == COPY || piece.sumWidth > 0) {
            long step = reader.next();
            piece.place += step >>> 1 ^ -(step & 1);
            // Checked here: the sum of many steps could leave 64 bits.
            if (piece.place < 0 || piece.place > baseSize - piece.length) {
                throw new SqzException("the archive takes bytes beyond the end of the base");
            }
        }
        return piece;
    }
}
