package org.sqzkit.sqz;

import java.util.Arrays;

/**
 * Codes the tensors of a weights stream in either direction (docs/sqz.md, "Weights"): all without a
 * reference, or all with one. The two share nothing but the coder.
 */
final class WeightsCoder {
    private static final int TAPS = 16;
    private static final int BESIDE = 6;
    private static final int ZERO_INPUTS = 4;
    private static final int SIGN_INPUTS = 3;
    private static final int MAGNITUDE_INPUTS = 4;
    private static final int ZERO_CONTEXTS = 1024;
    private static final int SIGN_CONTEXTS = 128;
    private static final int NODES = 256;
    private static final int TOP_NODES = 16;
    /** Where the slots of each magnitude context begin. Strength and row know only the top nodes. */
    private static final int BY_EXPECTED = 2 * NODES;
    private static final int BY_STRENGTH = BY_EXPECTED + 64 * NODES;
    private static final int BY_ROW = BY_STRENGTH + 32 * TOP_NODES;
    private static final int BY_REFERENCE = BY_ROW + 64 * TOP_NODES;
    private static final int MAGNITUDE_SLOTS = BY_REFERENCE + 16 * NODES;
    private static final int SLOT_LIMIT = 1000;
    private static final int CARRIED_LIMIT = 30;
    private static final int MIN_STEP = 8192;
    private static final int WEIGHT_BOUND = 1 << 17;
    private static final int FIRST_MEAN = 8 << 8;
    private static final int FIRST_LEVEL = 16 << 8;
    private static final int FIRST_DENSITY = 1 << 15;
    private static final char[] NONE = new char[0];

    private final BinaryCoder coder;
    private final byte[] values;
    private final int[] usedSlots = BinaryCoder.fresh(64);
    /** 1 if the tensors have references: then each mixer has one input more, else 0. */
    private final int more;
    private final int[] zeroSlots;
    private final int[] signSlots;
    private final int[] magnitudeSlots;
    private final int[] zeroWeights;
    private final int[] signWeights;
    private final int[] magnitudeWeights;

    // of the tensor being coded
    private final byte[][] used = new byte[2][512];
    private final int[] taps = new int[TAPS];
    private final int[] features = new int[TAPS];
    private final int[] scales = new int[TAPS];
    private final int[] valueWeights = new int[TAPS];
    private final int[] scaleWeights = new int[TAPS];
    private int outputs, height, width, inputs;
    private byte[] reference;
    /** The slots of a bit that are not named one by one. */
    private final int[] chosen = new int[MAGNITUDE_INPUTS + 1];
    /**
     * Running means for later outputs, kept only where they are asked for a third time: the first
     * answer is a constant, and the second follows from one weight. All are 16 bits.
     */
    private char[] ofPlace, ofInput, ofPosition, density, level;
    private int output, visit;
    private int placeMean, inputMean, positionMean, densityMean, levelMean;
    private int rowLevel, allLevel, ofOutput, ofAll, rowDensity;
    private int before, before2, above, above2, left, up, corner, corner2;
    private int expected, quarter, strength, near, referenced;

    /** Codes values, tensor by tensor. */
    WeightsCoder(BinaryCoder coder, byte[] values, boolean withReferences) {
        this.coder = coder;
        this.values = values;
        more = withReferences ? 1 : 0;
        zeroSlots = BinaryCoder.fresh((ZERO_INPUTS + more) * ZERO_CONTEXTS);
        signSlots = BinaryCoder.fresh((SIGN_INPUTS + more) * SIGN_CONTEXTS);
        magnitudeSlots = BinaryCoder.fresh(withReferences ? MAGNITUDE_SLOTS : BY_REFERENCE);
        zeroWeights = BinaryCoder.weights(16 * (ZERO_INPUTS + more), withReferences ? 16384 : 20000);
        signWeights = BinaryCoder.weights(SIGN_INPUTS + more, 16384);
        magnitudeWeights = BinaryCoder.weights(8 * (MAGNITUDE_INPUTS + more), 16384);
    }

    /** Follows the coding of a tensor, and may stop it. */
    interface Channels {
        /** Called after each output channel with the number of weights coded so far. */
        void coded(long weights) throws SqzException;
    }

    /**
     * Encodes a tensor, values[start..], or decodes it to there, where zeros are.
     *
     * @param reference what the tensor is compared with; then the values are the differences
     */
    void code(int start, int[] sides, byte[] reference, Channels follower) throws SqzException {
        this.reference = reference;
        outputs = sides[0];
        height = sides[1];
        width = sides[2];
        inputs = sides[3];
        for (byte[] occurring : used) {
            Arrays.fill(occurring, (byte) 0);
        }
        for (int at = start, end = start + outputs * height * width * inputs; at < end; at++) {
            used[values[at] >>> 31][256 + Math.abs(values[at])] = 1; // a decoder does not look at it
        }
        boolean zeroUsed = codeUsed();
        boolean othersUsed = (used[0][1] | used[1][1]) != 0;
        if (!zeroUsed && !othersUsed) {
            throw new SqzException("a tensor of the archive uses no value");
        }
        BinaryCoder.forget(zeroSlots, CARRIED_LIMIT);
        BinaryCoder.forget(signSlots, CARRIED_LIMIT);
        BinaryCoder.forget(magnitudeSlots, CARRIED_LIMIT);
        if (!othersUsed) {
            return;
        }
        reset();
        int here = start;
        for (output = 0; output < outputs; output++) {
            ofOutput = ofAll;
            rowLevel = allLevel;
            rowDensity = FIRST_DENSITY;
            for (int place = 0; place < height * width; place++) {
                int beside = findTaps(place, here);
                visit = output * height * width + place;
                positionMean = output > 0 ? ofPosition[place] : FIRST_MEAN;
                for (int channel = 0; channel < inputs; channel++) {
                    recall(here, place * inputs + channel, channel);
                    referenced = more != 0 ? reference[here - start] : 0;
                    codeOne(here, place, channel, beside, zeroUsed);
                    here++;
                }
                if (output + 1 < outputs) {
                    ofPosition[place] = (char) positionMean;
                }
            }
            follower.coded(here - start);
        }
    }

    private boolean codeUsed() {
        for (int sign = 0; sign < 2; sign++) {
            int history = 3;
            for (int magnitude = sign; magnitude < 128 + sign; magnitude++) {
                int octave = magnitude > 63 ? 7 : Tables.LOG0[magnitude];
                int context = (sign * 8 + octave) * 4 + history;
                int probability = usedSlots[context] >>> 16;
                int bit = coder.bit(used[sign][256 + magnitude],
                        Math.min(Math.max(probability, 32), 65504));
                BinaryCoder.update(usedSlots, context, bit, 60);
                used[sign][256 + magnitude] = (byte) bit;
                history = (history * 2 + bit) & 3;
            }
        }
        boolean zero = used[0][256] != 0;
        used[0][256] = 0;
        for (int sign = 0; sign < 2; sign++) {
            for (int node = 255; node > 0; node--) {
                used[sign][node] = (byte) (used[sign][2 * node] | used[sign][2 * node + 1]);
            }
        }
        return zero;
    }

    private void reset() {
        Arrays.fill(valueWeights, 0);
        Arrays.fill(scaleWeights, 4000);
        Arrays.fill(scales, 0);
        int places = height * width;
        boolean kept = (long) outputs * places > 2;
        ofPlace = outputs > 2 ? new char[places * inputs] : NONE;
        ofPosition = outputs > 1 ? new char[places] : NONE;
        ofInput = kept ? new char[inputs] : NONE;
        density = kept ? new char[inputs] : NONE;
        level = kept ? new char[inputs] : NONE;
        allLevel = FIRST_LEVEL;
        ofAll = FIRST_MEAN;
    }

    /** Finds where each neighbour's run of inputs begins, -1 outside the tensor. */
    private int findTaps(int place, int here) {
        int kernel = height * width * inputs;
        int beside = 0;
        if (height * width > 1) {
            beside = BESIDE;
            int row = place / width;
            int column = place % width;
            int line = width * inputs;
            taps[0] = column >= 1 ? here - inputs : -1;
            taps[1] = row >= 1 ? here - line : -1;
            taps[2] = row >= 1 && column >= 1 ? here - line - inputs : -1;
            taps[3] = row >= 1 && column + 1 < width ? here - line + inputs : -1;
            taps[4] = column >= 2 ? here - 2 * inputs : -1;
            taps[5] = row >= 2 ? here - 2 * line : -1;
        }
        for (int k = beside; k < TAPS - 2; k++) {
            int back = k - beside + 1;
            taps[k] = back <= output ? here - back * kernel : -1;
        }
        return beside;
    }

    /** Brings the means of a place and an input up to the weight that was there last. */
    private void recall(int here, int spot, int channel) {
        int mean = FIRST_MEAN;
        if (output > 0) {
            int fixed = Math.abs(values[here - height * width * inputs]) << 8;
            mean = output > 1 ? ofPlace[spot] : mean;
            mean += (fixed - mean) >> 3;
            if (output + 1 < outputs) {
                ofPlace[spot] = (char) mean;
            }
        }
        placeMean = mean;
        inputMean = FIRST_MEAN;
        densityMean = FIRST_DENSITY;
        levelMean = FIRST_LEVEL;
        if (visit == 0) {
            return;
        }
        if (visit > 1) {
            inputMean = ofInput[channel];
            densityMean = density[channel];
            levelMean = level[channel];
        }
        int fixed = Math.abs(values[here - inputs]) << 8;
        inputMean += (fixed - inputMean) >> 5;
        densityMean += ((fixed != 0 ? 65535 : 0) - densityMean) >> 4;
        levelMean += fixed != 0 ? (fixed - levelMean) >> 4 : 0;
        if (visit + 1 < outputs * height * width) {
            ofInput[channel] = (char) inputMean;
            density[channel] = (char) densityMean;
            level[channel] = (char) levelMean;
        }
    }

    /** The sum of the products, as a tree: added one to the next, each would wait for the one before. */
    private static int linear(int[] a, int[] b) {
        return ((a[0] * b[0] + a[1] * b[1]) + (a[2] * b[2] + a[3] * b[3]))
                + ((a[4] * b[4] + a[5] * b[5]) + (a[6] * b[6] + a[7] * b[7]))
                + (((a[8] * b[8] + a[9] * b[9]) + (a[10] * b[10] + a[11] * b[11]))
                + ((a[12] * b[12] + a[13] * b[13]) + (a[14] * b[14] + a[15] * b[15])));
    }

    private static void learn(int[] weights, int[] features, long error, int speed, int floor) {
        if (Math.abs(error) * (speed / floor) < (MIN_STEP - 1L) << 16) {
            return; // whatever the energy, the step would be too small
        }
        int energy = floor + linear(features, features);
        int step = (int) ((error * (speed / energy)) >> 16);
        if (Math.abs(step) < MIN_STEP) {
            return;
        }
        int beyond = 0; // gets a bit from 18 on where a weight leaves its bound, which is rare
        for (int k = 0; k < TAPS; k++) {
            int moved = weights[k] + ((step * features[k] + 32768) >> 16);
            weights[k] = moved;
            beyond |= moved + WEIGHT_BOUND;
        }
        for (int k = 0; k < TAPS && beyond >>> 18 != 0; k++) {
            weights[k] = Math.min(Math.max(weights[k], -WEIGHT_BOUND), WEIGHT_BOUND);
        }
    }

    private void codeOne(int here, int place, int channel, int beside, boolean zeroUsed) {
        for (int k = 0; k < TAPS - 2; k++) {
            features[k] = taps[k] >= 0 ? values[taps[k] + channel] : 0;
        }
        before = channel >= 1 ? values[here - 1] : 0;
        before2 = channel >= 2 ? values[here - 2] : 0;
        features[TAPS - 2] = before;
        features[TAPS - 1] = before2;
        if (more != 0) {
            features[TAPS - 3] = referenced;
        }
        int predicted = linear(valueWeights, features);
        if (beside != 0) {
            left = features[0];
            up = features[1];
            corner = features[2];
            corner2 = features[3];
        } else {
            left = up = corner = corner2 = 0;
        }
        above = features[beside];
        above2 = features[beside + 1];
        findScales(beside);
        int scale = linear(scaleWeights, scales);
        expected = Math.min(Math.max((scale + 8192) >> 14, 0), 4095);
        quarter = (predicted + 8192) >> 14;
        strength = Math.min(Math.abs(quarter), 4095);
        near = Math.min(
                Math.abs(left) + Math.abs(up) + Math.abs(before) + Math.abs(before2)
                        + Math.abs(above) + Math.abs(above2),
                4095);
        int value = values[here];
        int magnitude = 0;
        boolean nonzero = !zeroUsed || codeNonzero(value, place);
        if (nonzero) {
            boolean negative = codeNegative(value);
            magnitude = codeMagnitude(Math.abs(value), negative);
            value = negative ? -magnitude : magnitude;
        }
        values[here] = (byte) value;
        learn(valueWeights, features, ((long) value << 16) - predicted, 30064771, 2000);
        learn(scaleWeights, scales, ((long) magnitude << 18) - scale, 21474836, 1600);
        int fixed = magnitude << 8;
        ofOutput += (fixed - ofOutput) >> 5;
        positionMean += (fixed - positionMean) >> 5;
        ofAll += (fixed - ofAll) >> 8;
        rowDensity += ((nonzero ? 65535 : 0) - rowDensity) >> 5;
        if (nonzero) {
            rowLevel += (fixed - rowLevel) >> 4;
            allLevel += (fixed - allLevel) >> 9;
        }
    }

    private void findScales(int beside) {
        scales[0] = Math.abs(left) << 2;
        scales[1] = Math.abs(up) << 2;
        scales[2] = Math.abs(corner) << 2;
        scales[3] = Math.abs(corner2) << 2;
        scales[4] = Math.abs(before) << 2;
        scales[5] = Math.abs(before2) << 2;
        scales[6] = Math.abs(above) << 2;
        scales[7] = Math.abs(above2) << 2;
        scales[8] = Math.abs(features[beside + 2]) << 2;
        scales[9] = Math.abs(features[beside + 3]) << 2;
        scales[10] = placeMean >> 6;
        scales[11] = inputMean >> 6;
        scales[12] = ofOutput >> 6;
        scales[13] = positionMean >> 6;
        scales[14] = ofAll >> 6;
        scales[15] = Math.abs(referenced) << 2;
    }

    private boolean codeNonzero(int value, int place) {
        int bit = value != 0 ? 1 : 0;
        int dense = densityMean >> 12;
        int a = Math.min(Tables.LOG2[near], 31) * 16 + dense;
        int b = ZERO_CONTEXTS + Math.min(Tables.LOG1[strength], 15) * 32
                + Math.min(Tables.LOG1[levelMean >> 6], 31);
        int c = 2 * ZERO_CONTEXTS + Math.min(place, 63) * 16 + (rowDensity >> 12);
        int d = 3 * ZERO_CONTEXTS + Math.min(Tables.LOG2[expected], 63) * 16
                + Math.min(Tables.LOG0[strength], 15);
        if (more == 0) {
            return coder.mixedBit(bit, zeroSlots, a, b, c, d, zeroWeights, dense * ZERO_INPUTS, 3,
                    SLOT_LIMIT) != 0;
        }
        int e = 4 * ZERO_CONTEXTS + Math.min(Math.abs(referenced), 63) * 16 + (rowDensity >> 12);
        choose(0, a, b, c, d, e);
        return coder.mixedBit(bit, zeroSlots, chosen, 5, zeroWeights, dense * (ZERO_INPUTS + 1), 3,
                SLOT_LIMIT) != 0;
    }

    private boolean codeNegative(int value) {
        if (used[0][1] == 0 || used[1][1] == 0) {
            return used[1][1] != 0;
        }
        int a = ternary(left) * 27 + ternary(up) * 9 + ternary(corner) * 3 + ternary(corner2);
        int b = SIGN_CONTEXTS + ternary(before) * 9 + ternary(before2) * 3 + ternary(above);
        int c = 2 * SIGN_CONTEXTS + Math.min(Tables.LOG1[strength], 15) * 2 + (quarter > 0 ? 1 : 0);
        int d = 3 * SIGN_CONTEXTS + Tables.LOG1[Math.abs(referenced)] * 2 + (referenced > 0 ? 1 : 0);
        choose(0, a, b, c, d, 0);
        return coder.mixedBit(value >>> 31, signSlots, chosen, SIGN_INPUTS + more, signWeights, 0, 4,
                SLOT_LIMIT) != 0;
    }

    private int codeMagnitude(int magnitude, boolean negative) {
        int along = negative ? -quarter : quarter;
        int toward = Math.min(Tables.LOG1[strength], 15) + (along >= 0 ? 0 : 16);
        int sign = negative ? 1 : 0;
        int a = sign * NODES;
        int b = BY_EXPECTED + Math.min(Tables.LOG2[expected], 63) * NODES;
        int c = BY_STRENGTH + toward * TOP_NODES;
        int d = BY_ROW + Math.min(Tables.LOG2[rowLevel >> 6], 63) * TOP_NODES;
        int e = BY_REFERENCE + Tables.LOG1[Math.abs(referenced)] * NODES;
        byte[] tree = used[sign];
        int node = 1;
        for (int depth = 0; depth < 8; depth++) {
            int bit = (magnitude >> (7 - depth)) & 1;
            if (tree[2 * node] == 0) {
                bit = 1;
            } else if (tree[2 * node + 1] == 0) {
                bit = 0;
            } else {
                int first = depth * (MAGNITUDE_INPUTS + more);
                if (more != 0) {
                    choose(node, a, b, e, c, d);
                    bit = coder.mixedBit(bit, magnitudeSlots, chosen, node < TOP_NODES ? 5 : 3,
                            magnitudeWeights, first, 3, SLOT_LIMIT);
                } else {
                    bit = node < TOP_NODES
                            ? coder.mixedBit(bit, magnitudeSlots, a + node, b + node, c + node,
                                    d + node, magnitudeWeights, first, 3, SLOT_LIMIT)
                            : coder.mixedBit(bit, magnitudeSlots, a + node, b + node,
                                    magnitudeWeights, first, 3, SLOT_LIMIT);
                }
            }
            node = 2 * node + bit;
        }
        return node - 256;
    }

    private void choose(int add, int a, int b, int c, int d, int e) {
        chosen[0] = a + add;
        chosen[1] = b + add;
        chosen[2] = c + add;
        chosen[3] = d + add;
        chosen[4] = e + add;
    }

    private static int ternary(int value) {
        return (-value >>> 31) | (value >>> 31) << 1; // no branch: signs cannot be guessed
    }
}
