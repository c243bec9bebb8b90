package org.sqzkit.sqz;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;

/** Writes what only updates have (docs/sqz.md, "Kind 2: an update"). */
final class UpdateWriter implements SqzEncoder.Updates {
    private final byte[] base;

    UpdateWriter(byte[] base) {
        this.base = base;
    }

    @Override
    public Directory[] archives(byte[] content, Deflate.Check check) throws SqzException {
        UpdateEncoder encoder = new UpdateEncoder(content, base, check);
        return new Directory[] {encoder.archive(false), encoder.archive(true)};
    }

    @Override
    public void writeBase(ByteArrayOutputStream out) throws SqzException {
        byte[] digest = SqzDecoder.sha256(ByteBuffer.wrap(base));
        out.write(digest, 0, digest.length);
        Varints.write(out, base.length);
    }

    @Override
    public void writeReference(ByteArrayOutputStream out, Directory.Tensor tensor) {
        Directory.write(out, tensor.reference);
        if (tensor.reference > 0) {
            Directory.write(out, tensor.baseInputs, tensor.runs.length / 2);
            Directory.write(out, tensor.runs);
        }
    }

    @Override
    public long writePlace(ByteArrayOutputStream out, Directory.Piece piece, long at) {
        boolean copy = piece.stream == Directory.COPY;
        if (piece.stream != 0 && !copy) {
            Directory.write(out, piece.sumWidth);
        }
        if (!copy && piece.sumWidth == 0) {
            return at + piece.length;
        }
        long step = piece.place - at;
        Varints.write(out, step << 1 ^ step >> 63);
        return piece.place + piece.length;
    }
}
