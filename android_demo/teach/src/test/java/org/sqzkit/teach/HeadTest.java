package org.sqzkit.teach;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import org.junit.Test;
import org.junit.function.ThrowingRunnable;
import org.sqzkit.teach.HeadException.Code;

public class HeadTest {
    private static final int SIZE = 10;

    private final short[][] ants = Golden.photographs(SIZE, 5, 1);
    private final short[][] bees = Golden.photographs(SIZE, 7, 2);
    private final short[][] cats = Golden.photographs(SIZE, 3, 3);

    private Head head() throws HeadException {
        Head head = new Head(Golden.DIGEST, SIZE);
        Golden.add(head, "ant", ants);
        Golden.add(head, "bee", bees);
        Golden.add(head, "cat", cats);
        return head;
    }

    private static void refused(Code code, ThrowingRunnable call) {
        assertEquals(code, assertThrows(HeadException.class, call).code());
    }

    private static void assertSame(Head expected, Head found) {
        assertArrayEquals(HeadFile.write(expected), HeadFile.write(found));
        assertArrayEquals(expected.gram().rows, found.gram().rows);
    }

    /** Returns a part of the photographs: first, first + 2, ... of each class. */
    private Head half(int first) throws HeadException {
        Head head = new Head(Golden.DIGEST, SIZE);
        for (int i = first; i < bees.length; i += 2) {
            head.add("bee", bees[i]);
            if (i < ants.length) {
                head.add("ant", ants[i]);
            }
            if (i < cats.length) {
                head.add("cat", cats[i]);
            }
        }
        return head;
    }

    @Test
    public void aRemovedPhotographLeavesNoTrace() throws HeadException {
        Head head = head();
        head.gram();
        short[] extra = cats[0].clone();
        extra[0] += 5;
        assertTrue(head.add("bee", extra));
        assertFalse(Arrays.deepEquals(head().gram().rows, head.gram().rows));
        head.remove("bee", extra);
        assertSame(head(), head);
        refused(Code.NO_SUCH_PHOTOGRAPH, () -> head.remove("bee", extra));
        refused(Code.NO_SUCH_PHOTOGRAPH, () -> head.remove("dog", extra));
        for (short[] features : cats) {
            head.remove("cat", features);
        }
        assertEquals(Arrays.asList("ant", "bee"), head.labels());
        assertEquals(0, head.count("cat"));
    }

    @Test
    public void theCallersArrayMayChangeAfterwards() throws HeadException {
        Head head = new Head(Golden.DIGEST, SIZE);
        short[] features = ants[0].clone();
        head.add("ant", features);
        features[0]++;
        head.remove("ant", ants[0]);
        assertEquals(Collections.emptyList(), head.labels());
    }

    @Test
    public void theSamePhotographAHundredTimesCountsOnce() throws HeadException {
        Head head = new Head(Golden.DIGEST, SIZE);
        assertTrue(head.add("ant", ants[0]));
        for (int i = 0; i < 99; i++) {
            assertFalse(head.add("ant", ants[0].clone()));
        }
        assertEquals(1, head.count("ant"));
        assertArrayEquals(new double[] {1}, head.teach().probabilities(bees[0]), 0);
    }

    @Test
    public void onePhotographInAllAnswersAndNeverSaysNone() throws HeadException {
        Head head = new Head(Golden.DIGEST, SIZE);
        head.add("ant", ants[0]);
        TaughtHead taught = head.teach();
        assertArrayEquals(new double[] {1}, taught.probabilities(bees[0]), 0);
        assertFalse(taught.isNone(bees[0]));
        assertEquals(Double.POSITIVE_INFINITY, taught.choice().threshold(), 0);
    }

    @Test
    public void twoClassesWithTheSamePhotographsAreATossUp() throws HeadException {
        Head head = new Head(Golden.DIGEST, SIZE);
        Golden.add(head, "one", ants);
        Golden.add(head, "two", ants);
        assertArrayEquals(new double[] {0.5, 0.5}, head.teach().probabilities(ants[0]), 1e-6);
        head.rename("two", "one");
        assertEquals(5, head.count("one"));
        Head single = new Head(Golden.DIGEST, SIZE);
        Golden.add(single, "one", ants);
        assertSame(single, head);
    }

    @Test
    public void aThousandClasses() throws HeadException {
        Head head = new Head(Golden.DIGEST, 6);
        short[][] rows = Golden.photographs(6, 1000, 1);
        for (int i = 0; i < 1000; i++) {
            head.add("class " + i, rows[i]);
        }
        TaughtHead taught = head.teach();
        for (int i = 0; i < 1000; i += 50) {
            double[] found = taught.probabilities(rows[i]);
            double most = Arrays.stream(found).max().getAsDouble();
            assertEquals(most, found[taught.labels().indexOf("class " + i)], 0);
        }
        refused(Code.TOO_LARGE, () -> head.add("one more", rows[0]));
        assertSame(head, HeadFile.read(HeadFile.write(head)));
        Head other = new Head(Golden.DIGEST, 6);
        other.add("one more", rows[0]);
        refused(Code.TOO_LARGE, () -> head.merge(other));
    }

    @Test
    public void classesAreRenamedMergedAndDeleted() throws HeadException {
        Head head = head();
        head.gram();
        head.rename("ant", "zebra");
        assertEquals(Arrays.asList("bee", "cat", "zebra"), head.labels());
        head.rename("zebra", "bee");
        Head joined = new Head(Golden.DIGEST, SIZE);
        Golden.add(joined, "bee", bees);
        Golden.add(joined, "bee", ants);
        Golden.add(joined, "cat", cats);
        assertSame(joined, head);
        head.rename("bee", "bee");
        assertSame(joined, head);
        refused(Code.NO_SUCH_CLASS, () -> head.rename("ant", "x"));
        refused(Code.NO_SUCH_CLASS, () -> head.delete("ant"));
        head.delete("bee");
        Head rest = new Head(Golden.DIGEST, SIZE);
        Golden.add(rest, "cat", cats);
        assertSame(rest, head);
        head.delete("cat");
        refused(Code.NOTHING_TAUGHT, head::teach);
        refused(Code.NOTHING_TAUGHT, head::withoutPhotographs);
        refused(Code.NOTHING_TAUGHT, () -> head.teach(Choice.DEFAULT));
        assertSame(head, HeadFile.read(HeadFile.write(head)));
    }

    /** Changes a head. */
    private interface Change {
        void make(Head head) throws HeadException;
    }

    @Test
    public void everyChangeVoidsTheChoice() throws HeadException {
        Change[] changes = {head -> head.add("ant", bees[0]), head -> head.remove("ant", ants[0]),
            head -> head.rename("ant", "x"), head -> head.delete("ant")};
        for (Change change : changes) {
            Head head = head();
            head.teach();
            assertNotNull(head.choice());
            head.add("ant", ants[0]);
            assertNotNull("nothing new", head.choice());
            change.make(head);
            assertNull(head.choice());
        }
    }

    @Test
    public void aFormerChoiceGivesTheSameHeadAsItsOwn() throws HeadException {
        Head head = head();
        TaughtHead taught = head.teach();
        Head other = head();
        assertArrayEquals(taught.coefficients(1), other.teach(taught.choice()).coefficients(1), 0);
        assertNull(other.choice());
    }

    @Test
    public void mergedHeadsAreThePooledOne() throws HeadException {
        Head first = half(0);
        Head second = half(1);
        first.teach();
        second.teach();
        assertSame(head(), first.merge(second));
        assertSame(head(), second.merge(first));
        assertSame(head(), head().merge(first));
    }

    @Test
    public void sumsAloneMergeToThePooledHead() throws HeadException {
        Head pooled = head();
        TaughtHead taught = pooled.teach();
        Head[] firsts = {half(0), half(0).withoutPhotographs()};
        Head[] seconds = {half(1), half(1).withoutPhotographs()};
        for (Head first : firsts) {
            for (Head second : seconds) {
                Head both = HeadFile.read(HeadFile.write(first.merge(second)));
                assertEquals(7, both.count("bee"));
                TaughtHead found = both.teach(taught.choice());
                for (int c = 0; c < 3; c++) {
                    assertArrayEquals(taught.coefficients(c), found.coefficients(c), 0);
                }
            }
        }
    }

    @Test
    public void sumsAloneKeepTheMoreCautiousChoice() throws HeadException {
        Head first = half(0).withoutPhotographs();
        Head second = half(1).withoutPhotographs();
        Choice both = first.merge(second).choice();
        assertEquals(Math.max(first.choice().threshold(), second.choice().threshold()),
                both.threshold(), 0);
        assertEquals(Math.max(first.choice().strength(), second.choice().strength()),
                both.strength());
        assertNull(first.merge(half(1)).choice());
        first.setChoice(null);
        assertNull(first.merge(second).choice());
    }

    @Test
    public void absentPhotographsCanBeRenamedButNotDeleted() throws HeadException {
        Head sums = head().withoutPhotographs();
        refused(Code.ONLY_SUMS, () -> sums.delete("ant"));
        refused(Code.NO_SUCH_PHOTOGRAPH, () -> sums.remove("ant", ants[0]));
        sums.rename("ant", "bee");
        assertEquals(12, sums.count("bee"));
        assertSame(sums, HeadFile.read(HeadFile.write(sums)));
    }

    @Test
    public void aHeadOfAnotherModelIsRefused() throws HeadException {
        byte[] digest = new byte[32];
        digest[31] = 1;
        refused(Code.OTHER_MODEL, () -> head().merge(new Head(digest, SIZE)));
        refused(Code.OTHER_MODEL, () -> head().merge(new Head(Golden.DIGEST, SIZE + 1)));
        refused(Code.OTHER_MODEL, () -> head().checkModel(digest, SIZE));
        head().checkModel(Golden.DIGEST, SIZE);
        assertThrows(IllegalArgumentException.class, () -> head().add("ant", new short[9]));
        short[] beyond = new short[SIZE];
        beyond[9] = Short.MIN_VALUE;
        assertThrows(IllegalArgumentException.class, () -> head().add("ant", beyond));
        assertThrows(IllegalArgumentException.class,
                () -> head().teach().probabilities(new short[9]));
        assertThrows(IllegalArgumentException.class, () -> new Head(new byte[31], SIZE));
    }

    /** Returns a name of twice as many bytes. */
    private static String repeat(int count) {
        char[] letters = new char[count];
        Arrays.fill(letters, '\u00f6');
        return new String(letters);
    }

    @Test
    public void namesThatCannotBeStoredAreRefused() throws HeadException {
        Head head = head();
        String[] names = {"", " ", " ant", "ant ", "a\nb", "a\tb", "a\u2028b", "a\u2029b",
            "\u00a0a", "\ud800", "a\ud800b", repeat(128)};
        for (String name : names) {
            refused(Code.BAD_NAME, () -> head.add(name, ants[0]));
            refused(Code.BAD_NAME, () -> head.rename("ant", name));
        }
        assertSame(head(), head);
        head.rename("ant", repeat(127) + "x");
        head.rename("bee", "\ud83d\udc1d");
        head.rename("cat", "\uffee");
        // By bytes: UTF-16 would put the bee before U+FFEE.
        assertEquals(Arrays.asList("\uffee", "\ud83d\udc1d"), head.labels().subList(1, 3));
        assertSame(head, HeadFile.read(HeadFile.write(head)));
    }

    @Test
    public void choicesOutsideTheirRangesAreRefused() {
        double infinity = Double.POSITIVE_INFINITY;
        assertThrows(IllegalArgumentException.class, () -> new Choice(7, 1, 0));
        assertThrows(IllegalArgumentException.class, () -> new Choice(-1, 1, 0));
        assertThrows(IllegalArgumentException.class, () -> new Choice(0, 0, 0));
        assertThrows(IllegalArgumentException.class, () -> new Choice(0, infinity, 0));
        assertThrows(IllegalArgumentException.class, () -> new Choice(0, 1, Double.NaN));
    }
}
