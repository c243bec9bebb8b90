package org.sqzkit.teach;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.fail;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import org.junit.Test;

public class TridiagonalTest {
    /** Returns the columns of a symmetric matrix from the diagonal down. */
    private static double[][] columns(int size, Random random) {
        double[][] columns = new double[size][];
        for (int k = 0; k < size; k++) {
            columns[k] = random.doubles(size - k, -1, 1).toArray();
        }
        return columns;
    }

    private static double product(double[][] columns, double[] x, double[] y) {
        double sum = 0;
        for (int k = 0; k < columns.length; k++) {
            for (int i = 0; i < columns[k].length; i++) {
                sum += columns[k][i] * (x[k] * y[k + i] + (i == 0 ? 0 : x[k + i] * y[k]));
            }
        }
        return sum;
    }

    @Test
    public void productsStayAndTIsTridiagonal() {
        Random random = new Random(0);
        for (int size = 1; size < 40; size += 3) {
            double[][] matrix = columns(size, random);
            double[][] copy = new double[size][];
            for (int k = 0; k < size; k++) {
                copy[k] = matrix[k].clone();
            }
            Tridiagonal found = new Tridiagonal(copy);
            double[] x = random.doubles(size).toArray();
            double[] y = random.doubles(size).toArray();
            double expected = product(matrix, x, y);
            double length = Tridiagonal.dot(x, 0, x, 0, size);
            found.rotate(x);
            found.rotate(y);
            double sum = 0;
            for (int k = 0; k < size; k++) {
                sum += found.diagonal[k] * x[k] * y[k];
                sum += k == size - 1 ? 0 : found.beside[k] * (x[k] * y[k + 1] + x[k + 1] * y[k]);
            }
            assertEquals(expected, sum, 1e-10);
            assertEquals(length, Tridiagonal.dot(x, 0, x, 0, size), 1e-10);
        }
    }

    @Test
    public void severalVectorsAtOnceAreEachRotatedAsAlone() {
        Random random = new Random(1);
        for (int size = 1; size < 12; size++) {
            Tridiagonal found = new Tridiagonal(columns(size, random));
            double[][] vectors = new double[7][];
            double[][] alone = new double[vectors.length][];
            for (int k = 0; k < vectors.length; k++) {
                vectors[k] = random.doubles(size, -1, 1).toArray();
                alone[k] = vectors[k].clone();
                found.rotate(alone[k]);
            }
            found.rotate(vectors);
            for (int k = 0; k < vectors.length; k++) {
                assertArrayEquals(alone[k], vectors[k], 1e-12);
            }
        }
    }

    @Test
    public void aDiagonalMatrixStays() {
        Tridiagonal found = new Tridiagonal(new double[][] {{3, 0, 0}, {2, 0}, {1}});
        assertEquals(2, found.diagonal[1], 0);
        assertEquals(0, found.beside[0], 0);
        double[] vector = {1, 2, 3};
        found.rotate(vector);
        assertEquals(3, vector[2], 0);
    }

    /** A checksum that fits does not make sums those of photographs. */
    @Test
    public void sumsThatAreNotPositiveDefiniteAreRefused() throws Exception {
        byte[] content = Golden.bytes("three_classes_sums.head");
        int size = Golden.head("three_classes_sums").size();
        // The last row of the lower triangle: products of the last feature with the others.
        int row = content.length - 32 - 8 * size;
        ByteBuffer bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(row, 1L << 35);
        Head head = HeadFile.read(Golden.signed(content));
        for (Choice choice : new Choice[] {null, Choice.DEFAULT}) {
            try {
                Head changed = choice == null ? head.merge(other(head)) : head;
                TaughtHead taught = choice == null ? changed.teach() : changed.teach(choice);
                fail(taught.labels() + " were taught");
            } catch (HeadException error) {
                assertSame(HeadException.Code.DAMAGED, error.code());
            }
        }
    }

    /** Photographs that can be left out, so that the strength is chosen. */
    private static Head other(Head like) throws HeadException {
        Head head = new Head(like.digest(), like.size());
        Golden.add(head, "more", Golden.photographs(like.size(), 4, 1));
        return head;
    }
}
