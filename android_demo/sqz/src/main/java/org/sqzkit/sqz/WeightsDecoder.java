package org.sqzkit.sqz;

import java.util.Arrays;

/** Decodes the tensors of a weights stream (docs/sqz.md, "Weights"). */
final class WeightsDecoder {
    private static final int TAPS = 16;
    private static final int BESIDE = 6;
    private static final int ZERO_INPUTS = 4;
    private static final int SIGN_INPUTS = 3;
    private static final int MAGNITUDE_INPUTS = 4;
    private static final int FIRST_LOW_NODE = 16;
    private static final int ZERO_CONTEXTS = 1024;
    private static final int SIGN_CONTEXTS = 128;
    private static final int MAGNITUDE_CONTEXTS = 64;
    private static final int SLOT_LIMIT = 1000;
    private static final int CARRIED_LIMIT = 30;
    private static final int LEAST_STEP = 8192;
    private static final int WEIGHT_BOUND = 1 << 17;

    private final BinaryDecoder coder;
    private final int[] usedSlots = BinaryDecoder.fresh(64);
    private final int[] zeroSlots = BinaryDecoder.fresh(ZERO_INPUTS * ZERO_CONTEXTS);
    private final int[] signSlots = BinaryDecoder.fresh(SIGN_INPUTS * SIGN_CONTEXTS);
    private final int[] magnitudeSlots =
            BinaryDecoder.fresh(MAGNITUDE_INPUTS * MAGNITUDE_CONTEXTS * 256);
    private final int[] zeroWeights = BinaryDecoder.weights(16 * ZERO_INPUTS, 20000);
    private final int[] signWeights = BinaryDecoder.weights(SIGN_INPUTS, 16384);
    private final int[] magnitudeWeights = BinaryDecoder.weights(8 * MAGNITUDE_INPUTS, 16384);

    // of the tensor being decoded
    private final byte[][] used = new byte[2][512];
    private final int[] taps = new int[TAPS];
    private final int[] features = new int[TAPS];
    private final int[] scales = new int[TAPS];
    private final int[] valueWeights = new int[TAPS];
    private final int[] scaleWeights = new int[TAPS];
    private int outputs, height, width, inputs;
    private int[] ofPlace, ofInput, ofPosition, density, level;
    private int rowLevel, allLevel, ofOutput, ofAll, rowDensity;
    private int before, before2, above, above2, left, up, corner, corner2;
    private int expected, quarter, strength, near;

    WeightsDecoder(BinaryDecoder coder) {
        this.coder = coder;
    }

    /** Decodes a tensor into values[pad..], the first pad = height*width*inputs being zero. */
    void decode(byte[] values, int outputs, int height, int width, int inputs) throws SqzException {
        this.outputs = outputs;
        this.height = height;
        this.width = width;
        this.inputs = inputs;
        boolean zeroUsed = decodeUsed();
        boolean othersUsed = (used[0][1] | used[1][1]) != 0;
        if (!zeroUsed && !othersUsed) {
            throw new SqzException("a tensor of the archive uses no value");
        }
        BinaryDecoder.forget(zeroSlots, CARRIED_LIMIT);
        BinaryDecoder.forget(signSlots, CARRIED_LIMIT);
        BinaryDecoder.forget(magnitudeSlots, CARRIED_LIMIT);
        if (!othersUsed) {
            return;
        }
        reset();
        int here = height * width * inputs;
        for (int output = 0; output < outputs; output++) {
            ofOutput = ofAll;
            rowLevel = allLevel;
            rowDensity = 32768;
            for (int place = 0; place < height * width; place++) {
                int beside = findTaps(place, here);
                for (int channel = 0; channel < inputs; channel++) {
                    decodeOne(values, here, place, channel, beside, zeroUsed);
                    here++;
                }
            }
        }
    }

    private boolean decodeUsed() {
        for (int sign = 0; sign < 2; sign++) {
            Arrays.fill(used[sign], (byte) 0);
            int history = 3;
            for (int magnitude = sign; magnitude < 128 + sign; magnitude++) {
                int octave = magnitude > 63 ? 7 : Tables.LOG0[magnitude];
                int context = (sign * 8 + octave) * 4 + history;
                int probability = usedSlots[context] >>> 16;
                int bit = coder.bit(Math.min(Math.max(probability, 32), 65504));
                BinaryDecoder.update(usedSlots, context, bit, 60);
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
        ofPlace = BinaryDecoder.weights(height * width * inputs, 8 << 8);
        ofInput = BinaryDecoder.weights(inputs, 8 << 8);
        ofPosition = BinaryDecoder.weights(height * width, 8 << 8);
        density = BinaryDecoder.weights(inputs, 32768);
        level = BinaryDecoder.weights(inputs, 16 << 8);
        allLevel = 16 << 8;
        ofAll = 8 << 8;
    }

    private int findTaps(int place, int here) {
        int kernel = height * width * inputs;
        int beside = 0;
        if (height * width > 1) {
            beside = BESIDE;
            int row = place / width;
            int column = place % width;
            int line = width * inputs;
            taps[0] = column >= 1 ? here - inputs : 0;
            taps[1] = row >= 1 ? here - line : 0;
            taps[2] = row >= 1 && column >= 1 ? here - line - inputs : 0;
            taps[3] = row >= 1 && column + 1 < width ? here - line + inputs : 0;
            taps[4] = column >= 2 ? here - 2 * inputs : 0;
            taps[5] = row >= 2 ? here - 2 * line : 0;
        }
        for (int k = beside; k < TAPS - 2; k++) {
            taps[k] = (int) Math.max(here - (k - beside + 1L) * kernel, 0);
        }
        return beside;
    }

    /** The sum of the products, as a tree: added one to the next, each would wait for the one before. */
    private static int linear(int[] a, int[] b) {
        return ((a[0] * b[0] + a[1] * b[1]) + (a[2] * b[2] + a[3] * b[3]))
                + ((a[4] * b[4] + a[5] * b[5]) + (a[6] * b[6] + a[7] * b[7]))
                + (((a[8] * b[8] + a[9] * b[9]) + (a[10] * b[10] + a[11] * b[11]))
                + ((a[12] * b[12] + a[13] * b[13]) + (a[14] * b[14] + a[15] * b[15])));
    }

    private static void learn(int[] weights, int[] features, long error, int speed, int floor) {
        if (Math.abs(error) * (speed / floor) < (LEAST_STEP - 1L) << 16) {
            return; // whatever the energy, the step would be too small
        }
        int energy = floor + linear(features, features);
        int step = (int) ((error * (speed / energy)) >> 16);
        if (Math.abs(step) < LEAST_STEP) {
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

    private void decodeOne(
            byte[] values, int here, int place, int channel, int beside, boolean zeroUsed) {
        for (int k = 0; k < TAPS - 2; k++) {
            features[k] = values[taps[k] + channel];
        }
        before = channel >= 1 ? values[here - 1] : 0;
        before2 = channel >= 2 ? values[here - 2] : 0;
        features[TAPS - 2] = before;
        features[TAPS - 1] = before2;
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
        int spot = place * inputs + channel;
        findScales(spot, channel, place, beside);
        int scale = linear(scaleWeights, scales);
        expected = Math.min(Math.max((scale + 8192) >> 14, 0), 4095);
        quarter = (predicted + 8192) >> 14;
        strength = Math.min(Math.abs(quarter), 4095);
        near = Math.min(
                Math.abs(left) + Math.abs(up) + Math.abs(before) + Math.abs(before2)
                        + Math.abs(above) + Math.abs(above2),
                4095);
        int magnitude = 0;
        int value = 0;
        boolean nonzero = !zeroUsed || decodeNonzero(channel, place);
        if (nonzero) {
            boolean negative = decodeNegative();
            magnitude = decodeMagnitude(negative);
            value = negative ? -magnitude : magnitude;
        }
        values[here] = (byte) value;
        learn(valueWeights, features, ((long) value << 16) - predicted, 30064771, 2000);
        learn(scaleWeights, scales, ((long) magnitude << 18) - scale, 21474836, 1600);
        int fixed = magnitude << 8;
        ofPlace[spot] += (fixed - ofPlace[spot]) >> 3;
        ofInput[channel] += (fixed - ofInput[channel]) >> 5;
        ofOutput += (fixed - ofOutput) >> 5;
        ofPosition[place] += (fixed - ofPosition[place]) >> 5;
        ofAll += (fixed - ofAll) >> 8;
        int seen = nonzero ? 65535 : 0;
        density[channel] += (seen - density[channel]) >> 4;
        rowDensity += (seen - rowDensity) >> 5;
        if (nonzero) {
            level[channel] += (fixed - level[channel]) >> 4;
            rowLevel += (fixed - rowLevel) >> 4;
            allLevel += (fixed - allLevel) >> 9;
        }
    }

    private void findScales(int spot, int channel, int place, int beside) {
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
        scales[10] = ofPlace[spot] >> 6;
        scales[11] = ofInput[channel] >> 6;
        scales[12] = ofOutput >> 6;
        scales[13] = ofPosition[place] >> 6;
        scales[14] = ofAll >> 6;
    }

    private boolean decodeNonzero(int channel, int place) {
        int dense = density[channel] >> 12;
        int a = Math.min(Tables.LOG2[near], 31) * 16 + dense;
        int b = ZERO_CONTEXTS + Math.min(Tables.LOG1[strength], 15) * 32
                + Math.min(Tables.LOG1[level[channel] >> 6], 31);
        int c = 2 * ZERO_CONTEXTS + Math.min(place, 63) * 16 + (rowDensity >> 12);
        int d = 3 * ZERO_CONTEXTS + Math.min(Tables.LOG2[expected], 63) * 16
                + Math.min(Tables.LOG0[strength], 15);
        return coder.mixedBit(
                zeroSlots, a, b, c, d, zeroWeights, dense * ZERO_INPUTS, 3, SLOT_LIMIT) != 0;
    }

    private boolean decodeNegative() {
        if (used[0][1] == 0 || used[1][1] == 0) {
            return used[1][1] != 0;
        }
        int a = ternary(left) * 27 + ternary(up) * 9 + ternary(corner) * 3 + ternary(corner2);
        int b = SIGN_CONTEXTS + ternary(before) * 9 + ternary(before2) * 3 + ternary(above);
        int c = 2 * SIGN_CONTEXTS + Math.min(Tables.LOG1[strength], 15) * 2 + (quarter > 0 ? 1 : 0);
        return coder.mixedBit(signSlots, a, b, c, signWeights, 0, 4, SLOT_LIMIT) != 0;
    }

    private int decodeMagnitude(boolean negative) {
        int along = negative ? -quarter : quarter;
        int toward = Math.min(Tables.LOG1[strength], 15) + (along >= 0 ? 0 : 16);
        int sign = negative ? 1 : 0;
        int a = sign * 256;
        int b = magnitudeBase(1, Math.min(Tables.LOG2[expected], 63));
        int c = magnitudeBase(2, toward);
        int d = magnitudeBase(3, Math.min(Tables.LOG2[rowLevel >> 6], 63));
        byte[] tree = used[sign];
        int node = 1;
        for (int depth = 0; depth < 8; depth++) {
            int bit;
            if (tree[2 * node] == 0) {
                bit = 1;
            } else if (tree[2 * node + 1] == 0) {
                bit = 0;
            } else {
                int first = depth * MAGNITUDE_INPUTS;
                bit = node < FIRST_LOW_NODE
                        ? coder.mixedBit(magnitudeSlots, a + node, b + node, c + node, d + node,
                                magnitudeWeights, first, 3, SLOT_LIMIT)
                        : coder.mixedBit(magnitudeSlots, a + node, b + node,
                                magnitudeWeights, first, 3, SLOT_LIMIT);
            }
            node = 2 * node + bit;
        }
        return node - 256;
    }

    private static int magnitudeBase(int table, int context) {
        return (table * MAGNITUDE_CONTEXTS + context) * 256;
    }

    private static int ternary(int value) {
        return (-value >>> 31) | (value >>> 31) << 1; // no branch: signs cannot be guessed
    }
}
