package org.sqzkit.teach;

import java.util.Comparator;
import java.util.TreeSet;

/** The photographs of one class: features, and the sum of those whose features are not here. */
final class Photographs {
    /** The order of the features' little-endian bytes. */
    static final Comparator<short[]> ORDER = Photographs::compare;

    final TreeSet<short[]> present = new TreeSet<>(ORDER);
    int absent;
    private final long[] absentTotal;

    Photographs(int size) {
        absentTotal = new long[size];
    }

    int count() {
        return present.size() + absent;
    }

    /** Returns the sum of the features of absent photographs. */
    long[] absentTotal() {
        return absentTotal.clone();
    }

    /** Returns the sum of the features of all photographs. */
    long[] total() {
        long[] total = absentTotal.clone();
        for (short[] features : present) {
            for (int i = 0; i < total.length; i++) {
                total[i] += features[i];
            }
        }
        return total;
    }

    void addAbsent(int count, long[] total) {
        absent += count;
        for (int i = 0; i < total.length; i++) {
            absentTotal[i] += total[i];
        }
    }

    private static int compare(short[] first, short[] second) {
        for (int i = 0; i < first.length; i++) {
            if (first[i] != second[i]) {
                return Integer.compare(Short.reverseBytes(first[i]) & 0xFFFF,
                        Short.reverseBytes(second[i]) & 0xFFFF);
            }
        }
        return 0;
    }
}
