package org.sqzkit.sqz;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Packs files into `.sqz` archives: the same bytes as Python's {@code sqzkit.pack}.
 *
 * <p>Needs the JDK alone and no state: any thread may call it. Memory stays below six times the file and
 * 16 MiB; for an update, six times the file, three times the base and 32 MiB.
 */
public final class SqzEncoder {
    private final byte[] content;
    /** Of an update, else null. */
    private final Updates updates;
    private final Progress progress;
    private long done;
    private byte[] best;

    /** What only updates have. Where whole archives alone are asked for, R8 can leave it out. */
    interface Updates {
        /** Returns ways to code the content; none is the smallest for all files. */
        Directory[] archives(byte[] content, Deflate.Check check) throws SqzException;

        /** Writes which base the update has. */
        void writeBase(ByteArrayOutputStream out) throws SqzException;

        /** Writes where a tensor has its reference. */
        void writeReference(ByteArrayOutputStream out, Directory.Tensor tensor);

        /** Writes what a piece takes from the base; returns where that goes on if it is like the file. */
        long writePlace(ByteArrayOutputStream out, Directory.Piece piece, long at);
    }

    /**
     * Returns the archive of a file; {@link SqzDecoder} gives the file back.
     *
     * @param content a .tflite; any other bytes are packed too, as plain bytes
     * @param progress told how far it is, in bytes of the file, or null
     * @throws SqzTooLargeException if there is not enough memory
     * @throws SqzException if the progress stopped it
     */
    public static byte[] encode(byte[] content, Progress progress) throws SqzException {
        return encode(content, null, progress);
    }

    /**
     * Returns the update that gives a file to whoever has its base: an archive of what differs.
     *
     * @param content as above
     * @param base the file that the update starts from, or an archive of that file
     * @param progress as above
     * @throws SqzException also if the base is an archive that is damaged, signed, or itself an update
     */
    public static byte[] encodeUpdate(byte[] content, byte[] base, Progress progress)
            throws SqzException {
        boolean isFile = !SqzDecoder.isArchive(base) && !SignedArchive.isSigned(base);
        byte[] start = isFile ? base : SqzDecoder.decode(base, SqzDecoder.DEFAULT_LIMIT, null);
        return encode(content, new UpdateWriter(start), progress);
    }

    private static byte[] encode(byte[] content, Updates updates, Progress progress)
            throws SqzException {
        try {
            return new SqzEncoder(content, updates, progress).encode();
        } catch (OutOfMemoryError error) {
            throw new SqzTooLargeException("not enough memory to pack the file");
        }
    }

    private SqzEncoder(byte[] content, Updates updates, Progress progress) {
        this.content = content;
        this.updates = updates;
        this.progress = progress;
    }

    private byte[] encode() throws SqzException {
        take(split());
        take(plain(PlainStreams.encode(content, 1, this::check)));
        if (updates != null) {
            for (Directory update : updates.archives(content, this::check)) {
                take(update);
            }
        }
        if (best == null) { // zeros by the million
            best = write(plain(PlainStreams.stream(Directory.DEFLATE, 1, content.length,
                    Deflate.deflateLoosely(content, this::check))));
        }
        report(content.length);
        return best;
    }

    /** Takes an archive if it is legal and smaller than those before. */
    private void take(Directory directory) throws SqzException {
        byte[] archive = directory == null ? null : write(directory);
        if (archive != null && (best == null || archive.length < best.length) && isLegal(archive)) {
            best = archive;
        }
    }

    private static Directory plain(Directory.Stream stream) {
        return new Directory(Collections.singletonList(stream), new ArrayList<>(), new ArrayList<>());
    }

    /** Returns the archive with numbers apart from the graph; null where that is not possible. */
    private Directory split() throws SqzException {
        Plan plan = new Plan(content, Spans.find(content), Collections.emptySet(), this::check);
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
        return new Directory(streams, plan.tensors, plan.pieces);
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
        byte[] listed = directory.write(updates);
        byte[] packed = Deflate.deflate(listed, this::check);
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        if (updates != null) {
            updates.writeBase(body);
        }
        Varints.write(body, listed.length);
        Varints.write(body, packed.length);
        body.write(packed, 0, packed.length);
        for (Directory.Stream stream : directory.streams) {
            body.write(stream.content, 0, stream.coded);
        }
        return SqzDecoder.withHeader(content, updates != null, body.toByteArray());
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
        this.done = Math.max(this.done, done);
        if (progress != null) {
            progress.at(this.done, content.length);
        }
    }
}
