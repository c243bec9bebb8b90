package org.sqzkit.sqz;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Packs files into `.sqz` archives: the same bytes as Python's {@code sqzkit.pack}.
 *
 * <p>Needs the JDK alone and no state: any thread may call it. Memory stays below six times the file and
 * 16 MiB.
 */
public final class SqzEncoder {
    private final byte[] content;
    private final Progress progress;
    private long done;

    /**
     * Returns the archive of a file; {@link SqzDecoder} gives the file back.
     *
     * @param content a .tflite; any other bytes are packed too, as plain bytes
     * @param progress told how far it is, in bytes of the file, or null
     * @throws SqzTooLargeException if there is not enough memory
     * @throws SqzException if the progress stopped it
     */
    public static byte[] encode(byte[] content, Progress progress) throws SqzException {
        try {
            return new SqzEncoder(content, progress).encode();
        } catch (OutOfMemoryError error) {
            throw new SqzTooLargeException("not enough memory to pack the file");
        }
    }

    private SqzEncoder(byte[] content, Progress progress) {
        this.content = content;
        this.progress = progress;
    }

    private byte[] encode() throws SqzException {
        byte[] best = split();
        byte[] whole = write(plain(PlainStreams.encode(content, 1, this::check)));
        if (isLegal(whole) && (best == null || whole.length < best.length)) {
            best = whole;
        }
        if (best == null) { // zeros by the million
            best = write(plain(PlainStreams.stream(Directory.DEFLATE, 1, content.length,
                    Deflate.deflateLoosely(content, this::check))));
        }
        report(content.length);
        return best;
    }

    private static Directory plain(Directory.Stream stream) {
        return new Directory(Collections.singletonList(stream), new ArrayList<>(), new ArrayList<>());
    }

    /** Returns the archive with numbers apart from the graph; null where that is not possible. */
    private byte[] split() throws SqzException {
        Plan plan = new Plan(content, this::check);
        if (plan.pieces.isEmpty()) {
            return null;
        }
        List<Directory.Stream> streams = new ArrayList<>();
        streams.add(PlainStreams.encode(plan.rest.toByteArray(), 4, this::check));
        for (int k = 0; k < plan.groups.size(); k++) {
            byte[] group = plan.groups.get(k).toByteArray();
            streams.add(PlainStreams.encode(group, plan.kinds.get(k).width(), this::check));
        }
        if (!plan.tensors.isEmpty()) {
            streams.add(PlainStreams.encode(plan.codebooks.toByteArray(), 4, this::check));
            byte[] symbols = plan.symbols.toByteArray();
            byte[] coded = encodeWeights(plan, symbols);
            if (symbols.length > Limits.maxDeclared(coded.length)) {
                return null;
            }
            int size = 0;
            for (Directory.Tensor tensor : plan.tensors) {
                size += (int) tensor.size() * tensor.width;
            }
            streams.add(PlainStreams.stream(Directory.WEIGHTS, 1, size, coded));
        }
        byte[] archive = write(new Directory(streams, plan.tensors, plan.pieces));
        return isLegal(archive) ? archive : null;
    }

    private byte[] encodeWeights(Plan plan, byte[] symbols) throws SqzException {
        BinaryCoder coder = new BinaryCoder();
        WeightsCoder weights = new WeightsCoder(coder, symbols, false);
        int at = 0;
        for (Directory.Tensor tensor : plan.tensors) {
            int start = at;
            weights.code(start, tensor.sides, new byte[0], done -> report(start + done));
            at += (int) tensor.size();
        }
        return coder.finish();
    }

    private byte[] write(Directory directory) throws SqzException {
        byte[] listed = directory.write();
        byte[] packed = Deflate.deflate(listed, this::check);
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        Varints.write(body, listed.length);
        Varints.write(body, packed.length);
        body.write(packed, 0, packed.length);
        for (Directory.Stream stream : directory.streams) {
            body.write(stream.content, 0, stream.coded);
        }
        return SqzDecoder.withHeader(content, body.toByteArray());
    }

    /** Returns whether a decoder takes an archive: one that expands too much is refused. */
    private static boolean isLegal(byte[] archive) {
        try {
            SqzDecoder.checkLists(archive);
            return true;
        } catch (SqzException refused) {
            return false;
        }
    }

    private void check() throws SqzException {
        report(done);
    }

    private void report(long done) throws SqzException {
        this.done = done;
        if (progress != null) {
            progress.at(done, content.length);
        }
    }
}
