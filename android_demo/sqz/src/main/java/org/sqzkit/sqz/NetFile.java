package org.sqzkit.sqz;

/** Puts Song Han's `.net` file together (docs/sqz.md, "Caffe weights"). */
final class NetFile {
    /** Entries of a codebook. */
    static final int ENTRIES = 256;
    private static final int LONGEST_GAP = 15;

    private final byte[] file;
    private int at;

    /**
     * Returns the file.
     *
     * @param tensors one for each convolution
     * @param plain codebooks, their orders, biases, and the rank of each weight
     * @param size of the file
     */
    static byte[] write(Directory.Tensor[] tensors, byte[][] plain, int size) throws SqzException {
        NetFile net = new NetFile(size);
        net.reserve(4L * tensors.length);
        int bias = 0;
        int weight = 0;
        for (int k = 0; k < tensors.length; k++) {
            int[] sides = tensors[k].sides;
            int[] codeOfRank = order(plain[1], ENTRIES * k);
            net.writeCodebook(plain[0], 4 * ENTRIES * k, codeOfRank);
            net.writeBytes(plain[2], bias, 4 * sides[0]);
            byte[] codes = transposed(plain[3], weight, sides, codeOfRank);
            net.writeInt(4 * k, net.writeEntries(codes));
            bias += 4 * sides[0];
            weight += codes.length;
        }
        if (net.at != size) {
            throw new SqzException("the archive's .net file is shorter than announced");
        }
        return net.file;
    }

    private NetFile(int size) {
        file = new byte[size];
    }

    /** Returns where the next count bytes of the file begin. */
    private int reserve(long count) throws SqzException {
        if (count > file.length - at) {
            throw new SqzException("the archive's .net file is longer than announced");
        }
        int start = at;
        at += (int) count;
        return start;
    }

    /** Returns the code of each rank: a digit for each code is its rank among those not yet taken. */
    private static int[] order(byte[] digits, int start) throws SqzException {
        int[] left = new int[ENTRIES];
        for (int rank = 0; rank < ENTRIES; rank++) {
            left[rank] = rank;
        }
        int[] codeOfRank = new int[ENTRIES];
        for (int code = 0; code < ENTRIES; code++) {
            int digit = digits[start + code] & 255;
            int others = ENTRIES - 1 - code;
            if (digit > others) {
                throw new SqzException("the order of a codebook names a rank twice");
            }
            codeOfRank[left[digit]] = code;
            System.arraycopy(left, digit + 1, left, digit, others - digit);
        }
        return codeOfRank;
    }

    private void writeCodebook(byte[] books, int from, int[] codeOfRank) throws SqzException {
        int start = reserve(4 * ENTRIES);
        for (int rank = 0; rank < ENTRIES; rank++) {
            System.arraycopy(books, from + 4 * rank, file, start + 4 * codeOfRank[rank], 4);
        }
    }

    private void writeBytes(byte[] content, int from, int count) throws SqzException {
        System.arraycopy(content, from, file, reserve(count), count);
    }

    /** Returns the codes of a kernel in Caffe's order: output, input, height, width. */
    private static byte[] transposed(byte[] ranks, int start, int[] sides, int[] codeOfRank) {
        int inputs = sides[3];
        int places = sides[1] * sides[2];
        byte[] codes = new byte[sides[0] * places * inputs];
        int from = start;
        for (int output = 0; output < sides[0]; output++) {
            for (int place = 0; place < places; place++) {
                for (int input = 0; input < inputs; input++) {
                    int to = (output * inputs + input) * places + place;
                    codes[to] = (byte) codeOfRank[ranks[from++] & 255];
                }
            }
        }
        return codes;
    }

    /** Writes the codes that are not zero, then the gaps before them; returns how many there are. */
    private int writeEntries(byte[] codes) throws SqzException {
        int count = 0;
        int zeros = 0;
        for (byte code : codes) {
            zeros++;
            if (code != 0) {
                count += (zeros - 1) / (LONGEST_GAP + 1) + 1;
                zeros = 0;
            }
        }
        int entry = reserve(count);
        int gaps = reserve((count + 1L) / 2);
        int number = 0;
        zeros = 0;
        for (byte code : codes) {
            if (code == 0) {
                zeros++;
                continue;
            }
            for (; zeros > LONGEST_GAP; zeros -= LONGEST_GAP + 1) {
                file[gaps + number / 2] |= (byte) (LONGEST_GAP << 4 * (number & 1));
                number++; // a filler, whose code is zero
            }
            file[gaps + number / 2] |= (byte) (zeros << 4 * (number & 1));
            file[entry + number++] = code;
            zeros = 0;
        }
        return count;
    }

    private void writeInt(int position, int value) {
        for (int b = 0; b < 4; b++) {
            file[position + b] = (byte) (value >> (8 * b));
        }
    }
}
