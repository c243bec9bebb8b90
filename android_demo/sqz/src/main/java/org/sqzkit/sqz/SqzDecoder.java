package org.sqzkit.sqz;

import java.math.BigInteger;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.zip.CRC32;

/**
 * Unpacks `.sqz` archives: the file that was packed, byte for byte, or an exception.
 *
 * <p>Needs the JDK alone and no state: any thread may call it. The specification is docs/sqz.md of
 * sqzkit. Memory stays below four times the file and 16 MiB; for an update, five times the file and
 * 16 MiB beside the base.
 */
public final class SqzDecoder {
    /** The newest version of the format that is understood here. */
    public static final int VERSION = 1;
    /** A limit that suits a phone: 256 MiB. */
    public static final long DEFAULT_LIMIT = 256L << 20;

    /** The largest file: an array of bytes holds no more. */
    static final int MAX_SIZE = Integer.MAX_VALUE - 64;
    private static final int MAGIC = 0x5A515389;
    private static final int HEADER = 52;
    private static final int DIGEST = 32;
    /** Where the header has the SHA-256 of the file. */
    private static final int FILE_DIGEST = 16;
    private static final int NET = 1;
    private static final int UPDATE = 2;
    private static final int MAX_DIRECTORY = 1 << 20;
    private static final byte[] NONE = new byte[0];

    private final byte[] archive;
    private final long limit;
    private final Progress progress;
    /** Null where only a model is asked for. */
    private final NetWriter net;
    private final int kind;
    private final int fileSize;
    /** Bytes of an update's base, else -1. */
    private final int baseSize;
    private final Directory directory;

    /**
     * Returns the model that an archive holds.
     *
     * @param archive all bytes of a .sqz file
     * @param limit the largest legal size of the result in bytes
     * @param progress told how far it is, or null
     * @throws SqzTooLargeException if the file is larger than the limit, or than memory allows
     * @throws SqzException if the archive is damaged, newer than this decoder, holds Caffe weights,
     *     is an update, or is not an archive
     */
    public static byte[] decode(byte[] archive, long limit, Progress progress) throws SqzException {
        return unpack(archive, null, limit, progress, null);
    }

    /**
     * Returns the model that an update gives, or any other archive holds.
     *
     * @param base the file that an update starts from, or an archive of it; null if there is none
     * @throws SqzException as above; with {@link SqzException.Code#WRONG_BASE} or NO_BASE, the
     *     message says which file the update starts from
     */
    public static byte[] decode(byte[] archive, byte[] base, long limit, Progress progress)
            throws SqzException {
        return unpack(archive, base, limit, progress, null);
    }

    /** Returns the file that an archive of any kind holds: a model or Caffe weights. */
    public static byte[] decodeAnyKind(byte[] archive, byte[] base, long limit, Progress progress)
            throws SqzException {
        return unpack(archive, base, limit, progress, NetFile::write);
    }

    /**
     * Writes the model that an archive holds into a buffer, for example a mapped file or memory
     * outside the heap; one array of the file's size less is needed.
     *
     * @param base as above, or null
     * @param target gets the model from its position on, which is then behind it; what it holds after
     *     an exception is not the model
     * @throws SqzTooLargeException as above, or if the buffer is smaller than {@link #fileSize}
     */
    public static void decode(byte[] archive, byte[] base, ByteBuffer target, Progress progress)
            throws SqzException {
        ByteBuffer part = target.slice();
        if (fileSize(archive) > part.remaining()) {
            throw new SqzTooLargeException("archive of a file of " + fileSize(archive)
                    + " bytes, more than the buffer's " + part.remaining());
        }
        // The base may be larger than what comes out.
        long limit = Math.max(DEFAULT_LIMIT, part.remaining());
        int size = unpack(archive, base, limit, progress, null, decoder -> part).position();
        ((Buffer) target).position(target.position() + size);
    }

    /** Returns how many bytes an archive's header gives the file in it; -1 if not an archive. */
    public static long fileSize(byte[] archive) {
        return isArchive(archive) && archive.length >= HEADER
                ? littleEndian(archive, 8) & 0xFFFFFFFFL | (long) littleEndian(archive, 12) << 32 : -1;
    }

    private static byte[] unpack(byte[] archive, byte[] base, long limit, Progress progress,
            NetWriter net) throws SqzException {
        return unpack(archive, base, limit, progress, net,
                decoder -> ByteBuffer.allocate(decoder.fileSize)).array();
    }

    /** Writes Caffe weights. Where only models are asked for, R8 can leave {@link NetFile} out. */
    private interface NetWriter {
        byte[] write(Directory.Tensor[] tensors, byte[][] plain, int size) throws SqzException;
    }

    /** Gives what an archive is unpacked into, once its header is known to be right. */
    private interface Target {
        ByteBuffer of(SqzDecoder decoder);
    }

    private static ByteBuffer unpack(byte[] archive, byte[] base, long limit, Progress progress,
            NetWriter net, Target target) throws SqzException {
        try {
            SqzDecoder decoder = new SqzDecoder(archive, limit, progress, net);
            return decoder.unpack(base, target.of(decoder));
        } catch (OutOfMemoryError error) {
            throw new SqzTooLargeException("not enough memory to unpack the archive");
        }
    }

    /** Returns whether content begins as an archive does. */
    public static boolean isArchive(byte[] content) {
        return content.length >= 4 && littleEndian(content, 0) == MAGIC;
    }

    /**
     * Returns the SHA-256 of the file that an update starts from, in hexadecimal digits; null for
     * an archive that is not an update.
     *
     * <p>Nothing but the first bytes is looked at: only decoding tells whether the archive is whole.
     */
    public static String baseSha256(byte[] archive) {
        return isArchive(archive) && archive.length >= HEADER + DIGEST && archive[5] == UPDATE
                ? hexadecimal(archive, HEADER) : null;
    }

    /** Returns the SHA-256 that an archive's header gives of the file in it; null if not an archive. */
    public static String fileSha256(byte[] archive) {
        return isArchive(archive) && archive.length >= HEADER
                ? hexadecimal(archive, FILE_DIGEST) : null;
    }

    private SqzDecoder(byte[] archive, long limit, Progress progress, NetWriter net) throws SqzException {
        this.archive = archive;
        this.limit = limit;
        this.progress = progress;
        fileSize = checkHeader(archive, limit);
        kind = archive[5];
        this.net = net;
        if (kind == NET && net == null) {
            throw new SqzException(SqzException.Code.NOT_A_MODEL,
                    "the archive holds Caffe weights (.net), not a model");
        }
        Varints reader = new Varints(archive, HEADER, "the archive");
        if (kind == UPDATE) {
            reader.skip(DIGEST);
            long size = reader.next();
            if (size > Math.min(limit, MAX_SIZE)) {
                throw new SqzTooLargeException("update of a file of " + size
                        + " bytes, where at most " + limit + " is possible");
            }
            baseSize = (int) size;
        } else {
            baseSize = -1;
        }
        int plain = reader.number(MAX_DIRECTORY);
        int packed = reader.number(plain + Limits.MAX_GROWTH);
        int start = reader.skip(packed);
        byte[] listed = PlainStreams.inflate(archive, start, start + packed, plain);
        directory = new Directory(listed, archive.length, baseSize);
        for (Directory.Stream stream : directory.streams) {
            stream.start = reader.skip(stream.coded);
        }
        reader.end();
        Limits.check(directory, fileSize, baseSize, kind == NET && net != null, archive.length);
    }

    /** Fails if an archive's header or lists are not legal. */
    static void checkLists(byte[] archive) throws SqzException {
        new SqzDecoder(archive, MAX_SIZE, null, null);
    }

    /** Returns the archive of a file, or an update that gives it; the body is what follows the header. */
    static byte[] withHeader(byte[] content, boolean update, byte[] body) throws SqzException {
        ByteBuffer archive = ByteBuffer.allocate(HEADER + body.length).order(ByteOrder.LITTLE_ENDIAN);
        archive.putInt(MAGIC).put((byte) VERSION).put((byte) (update ? UPDATE : 0)).putShort((short) 0);
        archive.putLong(content.length).put(sha256(ByteBuffer.wrap(content)));
        archive.putInt(0).put(body).putInt(HEADER - 4, checksum(archive.array()));
        return archive.array();
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
        if (archive[4] != VERSION || (archive[5] & 255) > UPDATE || archive[6] != 0
                || archive[7] != 0) {
            throw new SqzException("the archive's header is damaged, or newer: its kind is "
                    + (archive[5] & 255) + ", legal are 0.." + UPDATE);
        }
        long size = fileSize(archive);
        if (size < 0 || size > Math.min(limit, MAX_SIZE)) {
            throw new SqzTooLargeException("archive of a file of " + Long.toUnsignedString(size)
                    + " bytes, more than the limit of " + limit);
        }
        if (checksum(archive) != littleEndian(archive, HEADER - 4)) {
            throw new SqzException("the archive is damaged or cut off (CRC-32)");
        }
        return (int) size;
    }

    /** Returns the CRC-32 of all of an archive but the CRC-32. */
    private static int checksum(byte[] archive) {
        CRC32 checksum = new CRC32();
        checksum.update(archive, 0, HEADER - 4);
        checksum.update(archive, HEADER, archive.length - HEADER);
        return (int) checksum.getValue();
    }

    private ByteBuffer unpack(byte[] given, ByteBuffer result) throws SqzException {
        assemble(kind == UPDATE ? findBase(given) : null, result.order(ByteOrder.LITTLE_ENDIAN));
        ByteBuffer whole = result.duplicate();
        ((Buffer) whole).flip();
        if (!hexadecimal(sha256(whole), 0).equals(fileSha256(archive))) {
            throw new SqzException(
                    "the archive is damaged: what comes out is not what was packed (SHA-256)");
        }
        report(fileSize);
        return result;
    }

    /** Returns the base that was given, or that the given archive holds. */
    private byte[] findBase(byte[] given) throws SqzException {
        String need = "the archive is an update of the file of " + baseSize
                + " bytes with the SHA-256 " + baseSha256(archive);
        if (given == null) {
            throw new SqzException(SqzException.Code.NO_BASE, need + ": give that file as the base");
        }
        String digest = hexadecimal(sha256(ByteBuffer.wrap(given)), 0);
        if (given.length == baseSize && digest.equals(baseSha256(archive))) {
            return given;
        }
        if (isArchive(given)) {
            SqzDecoder packed = new SqzDecoder(given, limit, (done, total) -> report(0), null);
            digest = fileSha256(given);
            if (packed.fileSize == baseSize && digest.equals(baseSha256(archive))) {
                return packed.unpack(null, ByteBuffer.allocate(baseSize)).array();
            }
        }
        throw new SqzException(SqzException.Code.WRONG_BASE,
                need + "; the given base has the SHA-256 " + digest);
    }

    private void assemble(byte[] base, ByteBuffer result) throws SqzException {
        byte[][] plain = new byte[directory.streams.length][];
        for (int k = 0; k < plain.length; k++) {
            Directory.Stream stream = directory.streams[k];
            plain[k] = stream.method == Directory.WEIGHTS
                    ? decodeWeights(stream, plain[k - 1], base)
                    : PlainStreams.decode(archive, stream);
        }
        if (kind == NET && net != null) {
            result.put(net.write(directory.tensors, plain, fileSize));
        } else {
            assemble(plain, base, result);
        }
    }

    private byte[] decodeWeights(Directory.Stream stream, byte[] codebooks, byte[] base)
            throws SqzException {
        byte[] result = new byte[stream.size];
        long weights = 0;
        for (Directory.Tensor tensor : directory.tensors) {
            weights += tensor.size();
        }
        // Tensors of single bytes are decoded where they belong.
        byte[] symbols = weights == stream.size ? result : new byte[(int) weights];
        BinaryCoder coder = new BinaryCoder(archive, stream.start, stream.start + stream.coded);
        WeightsCoder decoder = new WeightsCoder(coder, symbols, false);
        WeightsCoder comparing = new WeightsCoder(coder, symbols, true);
        int from = 0;
        int to = 0;
        for (Directory.Tensor tensor : directory.tensors) {
            long before = to;
            byte[] reference = tensor.reference > 0 ? new Reference(tensor, base).symbols() : NONE;
            (tensor.reference > 0 ? comparing : decoder).code(from, tensor.sides, reference,
                    done -> report(Math.min(before + done * tensor.width, fileSize)));
            for (int k = 0; k < reference.length; k++) {
                symbols[from + k] += reference[k];
            }
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
    private void assemble(byte[][] plain, byte[] base, ByteBuffer result) throws SqzException {
        int[] taken = new int[plain.length];
        int[] starts = new int[directory.pieces.length];
        int at = 0;
        for (int k = 0; k < starts.length; k++) {
            Directory.Piece piece = directory.pieces[k];
            result.put(plain[0], taken[0], piece.gap);
            taken[0] += piece.gap;
            at += piece.gap;
            starts[k] = at;
            if (piece.stream == Directory.COPY) {
                result.put(base, (int) piece.place, piece.length);
            } else if (piece.stream != 0) {
                add(piece, base, plain[piece.stream], taken[piece.stream]);
                result.put(plain[piece.stream], taken[piece.stream], piece.length);
                taken[piece.stream] += piece.length;
            }
            at += piece.length;
            ((Buffer) result).position(at); // a product is filled in below
        }
        result.put(plain[0], taken[0], fileSize - at);
        multiply(starts, result);
    }

    /** Adds the base's integers to those of a piece that has a width. */
    private static void add(Directory.Piece piece, byte[] base, byte[] result, int at) {
        int sum = 0;
        for (int k = 0; piece.sumWidth > 0 && k < piece.length; k++) {
            int carry = k % piece.sumWidth > 0 ? sum >> 8 : 0;
            sum = carry + (result[at + k] & 255) + (base[(int) piece.place + k] & 255);
            result[at + k] = (byte) sum;
        }
    }

    /** Fills the pieces that are a factor times another piece. */
    private void multiply(int[] starts, ByteBuffer result) throws SqzException {
        for (int k = 0; k < starts.length; k++) {
            Directory.Piece piece = directory.pieces[k];
            if (piece.stream != 0) {
                continue;
            }
            int source = starts[piece.source];
            for (int n = 0; n < piece.length; n += 4) {
                float product = result.getFloat(source + n) * piece.factor;
                if (!(Math.abs(product) <= Float.MAX_VALUE)) {
                    throw new SqzException("a product in the archive is not finite");
                }
                result.putInt(starts[k] + n, Float.floatToRawIntBits(product));
            }
        }
    }

    private void report(long done) throws SqzException {
        if (progress != null) {
            progress.at(done, fileSize);
        }
    }

    private static String hexadecimal(byte[] content, int from) {
        byte[] digest = Arrays.copyOfRange(content, from, from + DIGEST);
        return String.format("%064x", new BigInteger(1, digest));
    }

    static byte[] sha256(ByteBuffer content) throws SqzException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(content);
            return digest.digest();
        } catch (NoSuchAlgorithmException error) {
            throw new SqzException("this device has no SHA-256");
        }
    }
}
