package org.sqzkit.sqz;

/** What the directory of an archive lists (docs/sqz.md, "Directory"). */
final class Directory {
    static final int STORED = 0;
    static final int DEFLATE = 1;
    static final int MIXED = 2;
    static final int PLANES = 3;
    static final int WEIGHTS = 4;

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
    }

    /** A tensor of the weights stream. */
    static final class Tensor {
        final int[] sides = new int[4];
        int width;
        int center;
        int entries;

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
    }

    final Stream[] streams;
    final Tensor[] tensors;
    final Piece[] pieces;

    Directory(byte[] content, int archiveLength) throws SqzException {
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
        for (int k = 0; k < pieces.length; k++) {
            pieces[k] = piece(reader, streams.length);
        }
        reader.end();
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

    private static Tensor tensor(Varints reader) throws SqzException {
        Tensor tensor = new Tensor();
        for (int k = 0; k < 4; k++) {
            tensor.sides[k] = reader.number(MAX_SIZE);
        }
        tensor.width = reader.number(8);
        tensor.center = reader.number(255);
        tensor.entries = reader.number(256);
        return tensor;
    }

    private static Piece piece(Varints reader, int streams) throws SqzException {
        Piece piece = new Piece();
        piece.gap = reader.number(MAX_SIZE);
        piece.length = reader.number(MAX_SIZE);
        piece.stream = reader.number(Math.max(streams - 1, 0));
        if (piece.stream == 0) {
            piece.source = reader.number(MAX_SPANS);
            piece.factor = Float.intBitsToFloat(reader.littleEndian());
        }
        return piece;
    }
}
