package org.sqzkit.sqz;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.zip.CRC32;

/**
 * Unpacks `.sqz` archives: the file that was packed, byte for byte, or an exception.
 *
 * <p>Needs the JDK alone and no state: any thread may call it. The specification is docs/sqz.md of
 * sqzkit. Memory stays below four times the file and 16 MiB.
 */
public final class SqzDecoder {
    /** The newest version of the format that is understood here. */
    public static final int VERSION = 1;
    /** A limit that suits a phone: 256 MiB. */
    public static final long DEFAULT_LIMIT = 256L << 20;

    /** The largest file: an array of bytes holds no more. */
    static final int MAX_SIZE = Integer.MAX_VALUE - 64;
    private static final int HEADER = 52;
    private static final int MAX_DIRECTORY = 1 << 20;

    private final byte[] archive;
    private final Progress progress;
    private final boolean net;
    private final int fileSize;
    private final Directory directory;

    /**
     * Returns the model that an archive holds.
     *
     * @param archive all bytes of a .sqz file
     * @param limit the largest legal size of the result in bytes
     * @param progress told how far it is, or null
     * @throws SqzTooLargeException if the file is larger than the limit, or than memory allows
     * @throws SqzException if the archive is damaged, newer than this decoder, holds Caffe weights,
     *     or is not an archive
     */
    public static byte[] decode(byte[] archive, long limit, Progress progress) throws SqzException {
        return unpack(archive, limit, progress, false);
    }

    /** Returns the file that an archive of any kind holds: a model or Caffe weights. */
    public static byte[] decodeAnyKind(byte[] archive, long limit, Progress progress)
            throws SqzException {
        return unpack(archive, limit, progress, true);
    }

    private static byte[] unpack(byte[] archive, long limit, Progress progress, boolean anyKind)
            throws SqzException {
        try {
            SqzDecoder decoder = new SqzDecoder(archive, limit, progress);
            if (decoder.net && !anyKind) {
                throw new SqzException(SqzException.Code.NOT_A_MODEL,
                        "the archive holds Caffe weights (.net), not a model");
            }
            return decoder.unpack();
        } catch (OutOfMemoryError error) {
            throw new SqzTooLargeException("not enough memory to unpack the archive");
        }
    }

    /** Returns whether content begins as an archive does. */
    public static boolean isArchive(byte[] content) {
        return content.length >= 4 && littleEndian(content, 0) == 0x5A515389;
    }

    private SqzDecoder(byte[] archive, long limit, Progress progress) throws SqzException {
        this.archive = archive;
        this.progress = progress;
        fileSize = checkHeader(archive, limit);
        net = archive[5] == 1;
        Varints reader = new Varints(archive, HEADER, "the archive");
        int plain = reader.number(MAX_DIRECTORY);
        int packed = reader.number(plain + Limits.MAX_GROWTH);
        int start = reader.skip(packed);
        byte[] listed = PlainStreams.inflate(archive, start, start + packed, plain);
        directory = new Directory(listed, archive.length);
        for (Directory.Stream stream : directory.streams) {
            stream.start = reader.skip(stream.coded);
        }
        reader.end();
        Limits.check(directory, fileSize, net, archive.length);
    }

    static int littleEndian(byte[] content, int at) {
        return content[at] & 255 | (content[at + 1] & 255) << 8 | (content[at + 2] & 255) << 16
                | content[at + 3] << 24;
    }

    private static int checkHeader(byte[] archive, long limit) throws SqzException {
        if (!isArchive(archive)) {
            throw new SqzException(SqzException.Code.NOT_AN_ARCHIVE,
                    "not a .sqz archive: it does not begin with 89 53 51 5A");
        }
        if (archive.length < HEADER) {
            throw new SqzException("the archive is cut off within its header");
        }
        if ((archive[4] & 255) > VERSION) {
            throw new SqzException(SqzException.Code.NEWER_VERSION, "archive of version "
                    + (archive[4] & 255) + ", newer than version " + VERSION + " read here: update the app");
        }
        if (archive[4] != VERSION || archive[5] < 0 || archive[5] > 1 || archive[6] != 0
                || archive[7] != 0) {
            throw new SqzException("the archive's header is damaged");
        }
        long size = littleEndian(archive, 8) & 0xFFFFFFFFL | (long) littleEndian(archive, 12) << 32;
        if (size < 0 || size > Math.min(limit, MAX_SIZE)) {
            throw new SqzTooLargeException("archive of a file of " + Long.toUnsignedString(size)
                    + " bytes, more than the limit of " + limit);
        }
        CRC32 checksum = new CRC32();
        checksum.update(archive, 0, HEADER - 4);
        checksum.update(archive, HEADER, archive.length - HEADER);
        if ((int) checksum.getValue() != littleEndian(archive, HEADER - 4)) {
            throw new SqzException("the archive is damaged or cut off (CRC-32)");
        }
        return (int) size;
    }

    private byte[] unpack() throws SqzException {
        byte[] result = assemble();
        if (!Arrays.equals(sha256(result), Arrays.copyOfRange(archive, 16, 48))) {
            throw new SqzException(
                    "the archive is damaged: what comes out is not what was packed (SHA-256)");
        }
        report(fileSize);
        return result;
    }

    private byte[] assemble() throws SqzException {
        byte[][] plain = new byte[directory.streams.length][];
        for (int k = 0; k < plain.length; k++) {
            Directory.Stream stream = directory.streams[k];
            plain[k] = stream.method == Directory.WEIGHTS
                    ? decodeWeights(stream, plain[k - 1])
                    : PlainStreams.decode(archive, stream);
        }
        return net ? NetFile.write(directory.tensors, plain, fileSize) : assemble(plain);
    }

    private byte[] decodeWeights(Directory.Stream stream, byte[] codebooks) throws SqzException {
        byte[] result = new byte[stream.size];
        long weights = 0;
        for (Directory.Tensor tensor : directory.tensors) {
            weights += tensor.size();
        }
        // Tensors of single bytes are decoded where they belong.
        byte[] symbols = weights == stream.size ? result : new byte[(int) weights];
        BinaryDecoder coder = new BinaryDecoder(archive, stream.start, stream.start + stream.coded);
        WeightsDecoder decoder = new WeightsDecoder(coder, symbols);
        int from = 0;
        int to = 0;
        for (Directory.Tensor tensor : directory.tensors) {
            long before = to;
            decoder.decode(from, tensor.sides,
                    done -> report(Math.min(before + done * tensor.width, fileSize)));
            from += (int) tensor.size();
            to += (int) tensor.size() * tensor.width;
        }
        coder.checkEnd();
        expand(symbols, codebooks, result);
        return result;
    }

    /** Writes the elements that symbols stand for. */
    private void expand(byte[] symbols, byte[] codebooks, byte[] result) throws SqzException {
        int from = 0;
        int to = 0;
        int book = 0;
        for (Directory.Tensor tensor : directory.tensors) {
            int width = tensor.width;
            for (int end = from + (int) tensor.size(); from < end; from++) {
                int rank = (symbols[from] + tensor.center) & 255;
                if (width == 1) {
                    result[to++] = (byte) rank;
                    continue;
                }
                if (rank >= tensor.entries) {
                    throw new SqzException("a weight names an entry outside its codebook");
                }
                System.arraycopy(codebooks, book + rank * width, result, to, width);
                to += width;
            }
            book += tensor.entries * width;
        }
    }

    /** Lays the pieces between what is left of stream 0; {@link Limits} saw to the lengths. */
    private byte[] assemble(byte[][] plain) throws SqzException {
        byte[] result = new byte[fileSize];
        int[] taken = new int[plain.length];
        int[] starts = new int[directory.pieces.length];
        int at = 0;
        for (int k = 0; k < starts.length; k++) {
            Directory.Piece piece = directory.pieces[k];
            System.arraycopy(plain[0], taken[0], result, at, piece.gap);
            taken[0] += piece.gap;
            at += piece.gap;
            starts[k] = at;
            if (piece.stream != 0) {
                System.arraycopy(plain[piece.stream], taken[piece.stream], result, at, piece.length);
                taken[piece.stream] += piece.length;
            }
            at += piece.length;
        }
        System.arraycopy(plain[0], taken[0], result, at, fileSize - at);
        multiply(starts, result);
        return result;
    }

    /** Fills the pieces that are a factor times another piece. */
    private void multiply(int[] starts, byte[] result) throws SqzException {
        for (int k = 0; k < starts.length; k++) {
            Directory.Piece piece = directory.pieces[k];
            if (piece.stream != 0) {
                continue;
            }
            int source = starts[piece.source];
            for (int n = 0; n < piece.length; n += 4) {
                float value = Float.intBitsToFloat(littleEndian(result, source + n));
                float product = value * piece.factor;
                if (!(Math.abs(product) <= Float.MAX_VALUE)) {
                    throw new SqzException("a product in the archive is not finite");
                }
                int bits = Float.floatToRawIntBits(product);
                for (int b = 0; b < 4; b++) {
                    result[starts[k] + n + b] = (byte) (bits >> (8 * b));
                }
            }
        }
    }

    private void report(long done) throws SqzException {
        if (progress != null) {
            progress.at(done, fileSize);
        }
    }

    private static byte[] sha256(byte[] content) throws SqzException {
        try {
            return MessageDigest.getInstance("SHA-256").digest(content);
        } catch (NoSuchAlgorithmException error) {
            throw new SqzException("this device has no SHA-256");
        }
    }
}
