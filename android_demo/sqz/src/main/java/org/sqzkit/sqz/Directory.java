package org.sqzkit.sqz;

/** What the directory of an archive lists (docs/sqz.md, "Directory"). */
final class Directory {
    static final int STORED = 0;
    static final int DEFLATE = 1;
    static final int MIXED = 2;
    static final int PLANES = 3;
    static final int WEIGHTS = 4;

    private static final int MOST_STREAMS = 64;
    private static final int MOST_LISTED = 1 << 16;
    private static final String NAME = "the archive's directory";

    /** A coded run of bytes. */
    static final class Stream {
        int method;
        int stride;
        int size;
        long coded;
        int start;
    }

    /** A tensor of the weights stream. */
    static final class Tensor {
        final int[] sides = new int[4];
        int width;
        int center;
        int entries;
        int size;
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

    Directory(byte[] content, int fileSize) throws SqzException {
        Varints reader = new Varints(content, 0, NAME);
        long most = Math.min(2L * fileSize, SqzDecoder.LARGEST);
        streams = new Stream[reader.small(MOST_STREAMS)];
        long total = 0;
        for (int k = 0; k < streams.length; k++) {
            streams[k] = stream(reader, most);
            total += streams[k].size;
        }
        int count = listed(reader, content.length);
        tensors = new Tensor[count];
        long elements = 0;
        for (int k = 0; k < count; k++) {
            tensors[k] = tensor(reader, most);
            elements += tensors[k].size;
        }
        if (Math.max(total, elements) > most) {
            throw new SqzException("the archive announces " + Math.max(total, elements)
                    + " bytes: " + most + " are possible");
        }
        count = listed(reader, content.length);
        pieces = new Piece[count];
        for (int k = 0; k < count; k++) {
            pieces[k] = piece(reader, most, streams.length);
        }
        reader.end();
    }

    /** Each tensor and piece takes at least three bytes, so no count goes beyond the content. */
    private static int listed(Varints reader, int length) throws SqzException {
        return reader.small(Math.min(MOST_LISTED, length));
    }

    private static Stream stream(Varints reader, long most) throws SqzException {
        Stream stream = new Stream();
        stream.method = reader.small(255);
        stream.stride = reader.small(255);
        stream.size = reader.small(most);
        stream.coded = reader.number(Long.MAX_VALUE);
        return stream;
    }

    private static Tensor tensor(Varints reader, long most) throws SqzException {
        Tensor tensor = new Tensor();
        long size = 1;
        for (int k = 0; k < 4; k++) {
            tensor.sides[k] = reader.small(most);
            size = size > most ? size : size * tensor.sides[k];
        }
        tensor.width = reader.small(8);
        tensor.center = reader.small(255);
        tensor.entries = reader.small(256);
        int width = tensor.width;
        if (width != 1 && width != 2 && width != 4 && width != 8) {
            throw new SqzException(NAME + ": elements of " + width + " bytes");
        }
        if (size == 0 || (width == 1) != (tensor.entries == 0)) {
            throw new SqzException(NAME + ": a tensor without elements or codebook");
        }
        if (size * width > most) {
            throw new SqzException(NAME + ": a tensor larger than its file");
        }
        tensor.size = (int) size;
        return tensor;
    }

    private static Piece piece(Varints reader, long most, int streams) throws SqzException {
        Piece piece = new Piece();
        piece.gap = reader.small(most);
        piece.length = reader.small(most);
        piece.stream = reader.small(Math.max(streams - 1, 0));
        if (piece.stream == 0) {
            piece.source = reader.small(MOST_LISTED);
            byte[] bits = reader.bytes(4);
            piece.factor = Float.intBitsToFloat(SqzDecoder.littleEndian(bits, 0));
        }
        return piece;
    }
}
