package org.sqzkit.sqz;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

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

    static final int LARGEST = Integer.MAX_VALUE - 64;
    private static final int HEADER = 52;
    private static final int MOST_DIRECTORY = 32 << 20;
    private static final int MOST_MIXED = 192 << 10;
    private static final int MOST_EXPANSION = 1024;

    private final byte[] archive;
    private final Progress progress;
    private final int fileSize;
    private final Directory directory;
    private byte[] codebooks = new byte[0];

    /**
     * Returns the file that an archive holds.
     *
     * @param archive all bytes of a .sqz file
     * @param limit the largest legal size of the result in bytes
     * @param progress told how far it is, or null
     * @throws SqzTooLargeException if the file is larger than the limit, or than memory allows
     * @throws SqzException if the archive is damaged, newer than this decoder, or none
     */
    public static byte[] decode(byte[] archive, long limit, Progress progress) throws SqzException {
        try {
            return new SqzDecoder(archive, limit, progress).unpack();
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
        Varints reader = new Varints(archive, HEADER, "the archive");
        int plain = reader.small(MOST_DIRECTORY);
        int packed = reader.small(archive.length);
        int start = reader.skip(packed);
        directory = new Directory(inflate(start, start + packed, plain), fileSize);
        for (Directory.Stream stream : directory.streams) {
            stream.start = reader.skip(stream.coded);
        }
        reader.end();
    }

    static int littleEndian(byte[] content, int at) {
        return content[at] & 255 | (content[at + 1] & 255) << 8 | (content[at + 2] & 255) << 16
                | content[at + 3] << 24;
    }

    private static int checkHeader(byte[] archive, long limit) throws SqzException {
        if (!isArchive(archive)) {
            throw new SqzException("not a .sqz archive: it does not begin with 89 53 51 5A");
        }
        if (archive.length < HEADER) {
            throw new SqzException("the archive is cut off within its header");
        }
        if ((archive[4] & 255) > VERSION) {
            throw new SqzException("archive of version " + (archive[4] & 255) + ", newer than version "
                    + VERSION + " read here: update the app");
        }
        if (archive[4] != VERSION || archive[5] < 0 || archive[5] > 1 || archive[6] != 0
                || archive[7] != 0) {
            throw new SqzException("the archive's header is damaged");
        }
        long size = littleEndian(archive, 8) & 0xFFFFFFFFL | (long) littleEndian(archive, 12) << 32;
        if (size < 0 || size > Math.min(limit, LARGEST)) {
            throw new SqzTooLargeException("archive of a file of " + Long.toUnsignedString(size)
                    + " bytes, more than the limit of " + limit);
        }
        CRC32 checksum = new CRC32();
        checksum.update(archive, 0, HEADER - 4);
        checksum.update(archive, HEADER, archive.length - HEADER);
        if ((int) checksum.getValue() != littleEndian(archive, HEADER - 4)) {
            throw new SqzException("the archive is damaged or cut off (CRC-32)");
        }
        if (archive[5] == 1) {
            throw new SqzException("the archive holds Caffe weights (.net), not a model");
        }
        return (int) size;
    }

    private byte[] unpack() throws SqzException {
        byte[][] plain = new byte[directory.streams.length][];
        for (int k = 0; k < plain.length; k++) {
            Directory.Stream stream = directory.streams[k];
            if (stream.method == Directory.WEIGHTS) {
                codebooks = k == 0 ? new byte[0] : plain[k - 1];
                plain[k] = decodeWeights(stream);
            } else {
                plain[k] = decodePlain(stream);
            }
        }
        byte[] result = assemble(plain);
        byte[] digest = sha256(result);
        if (!Arrays.equals(digest, Arrays.copyOfRange(archive, 16, 48))) {
            throw new SqzException(
                    "the archive is damaged: what comes out is not what was packed (SHA-256)");
        }
        report(fileSize);
        return result;
    }

    private byte[] decodePlain(Directory.Stream stream) throws SqzException {
        int stride = stream.stride;
        int end = stream.start + (int) stream.coded;
        if (stream.method < 0 || stream.method > Directory.PLANES) {
            throw new SqzException("stream of the unknown method " + stream.method);
        }
        if (stride != 1 && stride != 2 && stride != 4 && stride != 8) {
            throw new SqzException("stream with elements of " + stride + " bytes");
        }
        if (stream.method == Directory.MIXED) {
            checkExpansion(stream.size, stream.coded);
            if (stream.size > MOST_MIXED) {
                throw new SqzException("mixed stream of " + stream.size + " bytes");
            }
            byte[] content = new byte[stream.size];
            BinaryDecoder coder = new BinaryDecoder(archive, stream.start, end);
            new MixedBytesDecoder(coder, content, stride).decode();
            return content;
        }
        if (stream.method == Directory.STORED) {
            if (stream.coded != stream.size) {
                throw new SqzException("stored stream of another length than announced");
            }
            return Arrays.copyOfRange(archive, stream.start, end);
        }
        byte[] content = inflate(stream.start, end, stream.size);
        return stream.method == Directory.PLANES ? joinPlanes(content, stride) : content;
    }

    private byte[] inflate(int start, int end, int size) throws SqzException {
        Inflater inflater = new Inflater(true);
        try {
            // Java's raw inflater may ask for one byte more than the stream has.
            byte[] input = Arrays.copyOfRange(archive, start, end + 1);
            inflater.setInput(input, 0, end - start);
            byte[] content = new byte[Math.min(size, 1 << 16)];
            int at = 0;
            byte[] probe = new byte[1];
            boolean fed = false;
            while (!inflater.finished()) {
                if (at == content.length && at < size) {
                    content = Arrays.copyOf(content, (int) Math.min(size, 2L * at));
                }
                boolean full = at == size;
                int count = full
                        ? inflater.inflate(probe)
                        : inflater.inflate(content, at, content.length - at);
                at += count;
                if (at > size || (count == 0 && inflater.needsDictionary())) {
                    throw new SqzException("a deflated stream is longer than announced");
                }
                if (count == 0 && inflater.needsInput() && !inflater.finished()) {
                    if (fed) {
                        throw new SqzException("a deflated stream ends early");
                    }
                    fed = true;
                    inflater.setInput(input, end - start, 1);
                }
            }
            if (at != size || (!fed && inflater.getRemaining() != 0)) {
                throw new SqzException("a deflated stream does not end where it should");
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

    private static void checkExpansion(long size, long coded) throws SqzException {
        if (size > MOST_EXPANSION * (coded + 64)) {
            throw new SqzException(coded + " bytes announce " + size);
        }
    }

    private byte[] decodeWeights(Directory.Stream stream) throws SqzException {
        long bytes = 0;
        long weights = 0;
        for (Directory.Tensor tensor : directory.tensors) {
            bytes += (long) tensor.size * tensor.width;
            weights += tensor.size;
        }
        if (bytes != stream.size) {
            throw new SqzException("weights stream of " + stream.size + " bytes for " + bytes);
        }
        checkExpansion(weights, stream.coded);
        byte[] result = new byte[stream.size];
        int end = stream.start + (int) stream.coded;
        WeightsDecoder decoder = new WeightsDecoder(new BinaryDecoder(archive, stream.start, end));
        int at = 0;
        int book = 0;
        for (Directory.Tensor tensor : directory.tensors) {
            int[] sides = tensor.sides;
            int pad = sides[1] * sides[2] * sides[3];
            if (pad > LARGEST - tensor.size) {
                throw new SqzException("a tensor of " + tensor.size + " weights is too large");
            }
            byte[] symbols = new byte[pad + tensor.size];
            decoder.decode(symbols, sides[0], sides[1], sides[2], sides[3]);
            book = expand(tensor, symbols, pad, result, at, book);
            at += tensor.size * tensor.width;
            report(at);
        }
        return result;
    }

    /** Writes a tensor's elements for its symbols; returns where the next codebook begins. */
    private int expand(Directory.Tensor tensor, byte[] symbols, int pad, byte[] result, int at,
            int book) throws SqzException {
        int width = tensor.width;
        if (width == 1) {
            for (int k = 0; k < tensor.size; k++) {
                result[at + k] = (byte) (symbols[pad + k] + tensor.center);
            }
            return book;
        }
        int end = book + tensor.entries * width;
        if (end > codebooks.length) {
            throw new SqzException("the archive's codebooks end early");
        }
        for (int k = 0; k < tensor.size; k++) {
            int rank = (symbols[pad + k] + tensor.center) & 255;
            if (rank >= tensor.entries) {
                throw new SqzException("a weight names an entry outside its codebook");
            }
            System.arraycopy(codebooks, book + rank * width, result, at + k * width, width);
        }
        return end;
    }

    private byte[] assemble(byte[][] plain) throws SqzException {
        if (plain.length == 0) {
            throw new SqzException("the archive has no stream");
        }
        byte[] result = new byte[fileSize];
        int[] taken = new int[plain.length];
        int[] starts = new int[directory.pieces.length];
        int at = 0;
        for (int k = 0; k < starts.length; k++) {
            Directory.Piece piece = directory.pieces[k];
            at = take(plain, taken, 0, piece.gap, result, at);
            starts[k] = at;
            if (piece.stream != 0) {
                at = take(plain, taken, piece.stream, piece.length, result, at);
            } else if (piece.length > fileSize - at) {
                throw new SqzException("the archive's pieces are longer than its file");
            } else {
                at += piece.length;
            }
        }
        take(plain, taken, 0, fileSize - at, result, at);
        multiply(starts, result);
        return result;
    }

    private static int take(byte[][] plain, int[] taken, int number, int length, byte[] result,
            int at) throws SqzException {
        if (length > plain[number].length - taken[number] || length > result.length - at) {
            throw new SqzException("stream " + number + " of the archive ends early");
        }
        System.arraycopy(plain[number], taken[number], result, at, length);
        taken[number] += length;
        return at + length;
    }

    /** Fills the pieces that are a factor times another piece. */
    private void multiply(int[] starts, byte[] result) throws SqzException {
        for (int k = 0; k < starts.length; k++) {
            Directory.Piece piece = directory.pieces[k];
            if (piece.stream != 0) {
                continue;
            }
            if (piece.source >= starts.length || piece.length % 4 != 0
                    || directory.pieces[piece.source].length != piece.length
                    || directory.pieces[piece.source].stream == 0) {
                throw new SqzException("a product in the archive names no piece of floats");
            }
            int source = starts[piece.source];
            for (int n = 0; n < piece.length; n += 4) {
                float value = Float.intBitsToFloat(littleEndian(result, source + n));
                int bits = Float.floatToRawIntBits(value * piece.factor);
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
