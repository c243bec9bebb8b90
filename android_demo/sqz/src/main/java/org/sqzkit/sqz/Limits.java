package org.sqzkit.sqz;

/** The rules that an archive's lists obey (docs/sqz.md, "Limits"); nothing is decoded before. */
final class Limits {
    static final int MAX_MIXED = 192 << 10;
    static final int MAX_GROWTH = 64;
    private static final int MAX_EXPANSION = 1024;
    private static final int SPARE = 64;
    private static final int FREE_SPANS = 4096;
    private static final int TENSOR_WEIGHTS = 256;
    private static final int PIECE_BYTES = 64;
    private static final int MIXED_SHARE = 16;
    private static final int MAX_NET_WEIGHTS = 1 << 22;

    private final Directory directory;
    private final int fileSize;
    private final int baseSize;
    private long declared;
    private long weights;

    /**
     * Fails if an archive of a number of bytes may not list what the directory does.
     *
     * @param baseSize bytes of an update's base, else -1
     */
    static void check(Directory directory, int fileSize, int baseSize, boolean net,
            long archiveLength) throws SqzException {
        Limits limits = new Limits(directory, fileSize, Math.max(baseSize, 0));
        limits.checkStreams(maxDeclared(archiveLength) + limits.baseSize);
        limits.checkTensors();
        limits.checkReferences();
        if (net) {
            limits.checkNet();
        } else {
            limits.checkFile();
        }
    }

    /** The most bytes that an archive of a length may stand for: no bombs. */
    static long maxDeclared(long length) {
        return MAX_EXPANSION * (length + SPARE);
    }

    private Limits(Directory directory, int fileSize, int baseSize) {
        this.directory = directory;
        this.fileSize = fileSize;
        this.baseSize = baseSize;
    }

    private void checkStreams(long most) throws SqzException {
        long mixed = 0;
        for (Directory.Stream stream : directory.streams) {
            declared += stream.size;
            mixed += stream.method == Directory.MIXED ? stream.size : 0;
            checkStream(stream);
        }
        require(Math.max(fileSize, declared) <= most,
                "the archive announces more than " + most + " bytes");
        require(mixed <= MAX_MIXED + declared / MIXED_SHARE, "the archive has too many mixed bytes");
    }

    private static void checkStream(Directory.Stream stream) throws SqzException {
        int stride = stream.stride;
        int method = stream.method;
        boolean wider = stride == 2 || stride == 4 || stride == 8;
        boolean planes = method == Directory.PLANES;
        boolean mixed = method == Directory.MIXED;
        require(method <= Directory.WEIGHTS, "stream of the unknown method " + method);
        require(stride == 1 ? !planes : wider && (mixed || planes),
                "stream of method " + method + " with elements of " + stride + " bytes");
        require(!mixed || stream.size <= MAX_MIXED,
                "mixed stream of " + stream.size + " bytes: at most " + MAX_MIXED + " are legal");
        long most = mixed ? maxCoded(stream.size, 0)
                : method == Directory.STORED ? stream.size
                : method == Directory.WEIGHTS ? Long.MAX_VALUE // depends on the tensors
                : (long) stream.size + MAX_GROWTH;
        require(stream.coded <= most
                        && (method != Directory.STORED || stream.coded == stream.size),
                "stream of method " + method + " of " + stream.coded + " bytes where "
                        + stream.size + " were announced");
    }

    /** The most bytes that the binary coder may take for bytes, or weights of tensors. */
    private static long maxCoded(long size, int tensors) {
        return 2 * size + 400L * tensors + 64;
    }

    private void checkTensors() throws SqzException {
        Directory.Tensor[] tensors = directory.tensors;
        int streams = 0;
        for (Directory.Stream stream : directory.streams) {
            streams += stream.method == Directory.WEIGHTS ? 1 : 0;
        }
        require(streams == Math.min(tensors.length, 1),
                streams + " weights streams for " + tensors.length + " tensors");
        long bytes = 0;
        for (Directory.Tensor tensor : tensors) {
            int width = tensor.width;
            long elements = tensor.size();
            require(elements > 0, "a tensor without weights");
            require(elements <= SqzDecoder.MAX_SIZE, "a tensor larger than any file");
            require(width == 1 || width == 2 || width == 4 || width == 8,
                    "a tensor with elements of " + width + " bytes");
            require((width == 1) == (tensor.entries == 0),
                    tensor.entries + " codebook entries of " + width + " bytes");
            weights += elements;
            bytes += elements * width;
        }
        if (streams == 1) {
            Directory.Stream coded = directory.streams[directory.weightsStream()];
            require(coded.size == bytes,
                    "weights stream of " + coded.size + " bytes for tensors of " + bytes);
            require(coded.coded <= maxCoded(weights, tensors.length),
                    "weights stream of " + coded.coded + " bytes for " + weights + " weights");
        }
        require(tensors.length <= FREE_SPANS + weights / TENSOR_WEIGHTS,
                tensors.length + " tensors with only " + weights + " weights");
    }

    /** Runs name a value for each weight, within the base where they name one there. */
    private void checkReferences() throws SqzException {
        long runs = 0;
        for (Directory.Tensor tensor : directory.tensors) {
            runs += tensor.runs.length / 2;
        }
        require(runs <= FREE_SPANS + weights / TENSOR_WEIGHTS,
                "the archive has more runs of inputs than its weights allow");
        for (Directory.Tensor tensor : directory.tensors) {
            if (tensor.reference == 0) {
                continue;
            }
            int inputs = tensor.sides[3];
            long elements = tensor.size() / inputs * tensor.baseInputs;
            // Elements first: their product with the width could leave 64 bits.
            require(elements > 0 && elements <= baseSize
                            && tensor.reference - 1 + elements * tensor.width <= baseSize,
                    "a tensor in the archive has its reference outside the base");
            long named = 0;
            boolean empty = false;
            for (int k = 1; k < tensor.runs.length; k += 2) {
                named += tensor.runs[k];
                empty |= tensor.runs[k] == 0;
            }
            require(named == inputs && !empty,
                    "a tensor in the archive has a reference not of " + inputs + " inputs");
        }
    }

    /** The pieces and what lies between them take each byte of each stream once. */
    private void checkFile() throws SqzException {
        Directory.Piece[] pieces = directory.pieces;
        long[] taken = new long[directory.streams.length];
        require(taken.length > 0, "the archive has no stream");
        require(pieces.length <= FREE_SPANS + fileSize / PIECE_BYTES,
                pieces.length + " pieces in a file of " + fileSize + " bytes");
        long end = 0;
        for (Directory.Piece piece : pieces) {
            end += (long) piece.gap + piece.length;
            taken[0] += piece.gap;
            if (piece.stream == 0) {
                checkProduct(piece);
            } else if (piece.stream != Directory.COPY) {
                taken[piece.stream] += piece.length;
            }
            int width = piece.sumWidth;
            require((width & width - 1) == 0 && piece.length % Math.max(width, 1) == 0,
                    "the archive adds odd lengths to the base's integers");
        }
        require(end <= fileSize, "the archive's pieces end at " + end + " in a file of " + fileSize);
        taken[0] += fileSize - end;
        if (directory.tensors.length > 0) {
            takeCodebooks(taken);
        }
        for (int k = 0; k < taken.length; k++) {
            require(taken[k] == directory.streams[k].size, "stream " + k + " of the archive has "
                    + directory.streams[k].size + " bytes, not " + taken[k]);
        }
    }

    private void takeCodebooks(long[] taken) throws SqzException {
        int number = directory.weightsStream() - 1;
        boolean own = number >= 1;
        for (Directory.Piece piece : directory.pieces) {
            own &= piece.stream != number;
        }
        require(own, "the archive's codebooks have no stream of their own");
        for (Directory.Tensor tensor : directory.tensors) {
            taken[number] += tensor.entries * tensor.width;
        }
        require(taken[number] <= fileSize, "the archive's codebooks are larger than its file");
    }

    private void checkProduct(Directory.Piece piece) throws SqzException {
        Directory.Piece[] pieces = directory.pieces;
        require(piece.source < pieces.length && piece.length % 4 == 0
                        && pieces[piece.source].stream != 0
                        && pieces[piece.source].length == piece.length,
                "a product in the archive names no piece of floats of its length");
        require(Math.abs(piece.factor) <= Float.MAX_VALUE,
                "a product in the archive has a factor that is not finite");
    }

    private void checkNet() throws SqzException {
        Directory.Tensor[] tensors = directory.tensors;
        Directory.Stream[] streams = directory.streams;
        long outputs = 0;
        for (Directory.Tensor tensor : tensors) {
            require(tensor.width == 1, "a .net archive with codebooks of its own");
            outputs += tensor.sides[0];
        }
        require(directory.pieces.length == 0, "a .net archive with pieces");
        require(weights <= MAX_NET_WEIGHTS, "a .net archive of more weights than are legal");
        require(tensors.length > 0 && streams.length == 4 && streams[3].method == Directory.WEIGHTS
                        && streams[0].size == 4L * NetFile.ENTRIES * tensors.length
                        && streams[1].size == (long) NetFile.ENTRIES * tensors.length
                        && streams[2].size == 4 * outputs,
                "the archive's streams do not make a .net file");
    }

    private static void require(boolean condition, String otherwise) throws SqzException {
        if (!condition) {
            throw new SqzException(otherwise);
        }
    }
}
