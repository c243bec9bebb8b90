package org.sqzkit.teach;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.AbstractMap.SimpleEntry;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.Test;

/** The same files and answers as Python's `sqzkit.teaching`. */
public class GoldenTest {
    /** The relative error that docs/teaching.md allows where bits may differ. */
    private static final double TOLERANCE = 1e-6;
    private static final double TINY = 1e-9;

    private static void assertClose(String what, double expected, double found) {
        if (expected != found) {
            assertEquals(what, expected, found, Math.abs(expected) * TOLERANCE + TINY);
        }
    }

    private static double number(Object value) {
        return "infinity".equals(value) ? Double.POSITIVE_INFINITY : (Double) value;
    }

    private static Map<?, ?> cases() throws Exception {
        return (Map<?, ?>) Golden.index().get("cases");
    }

    @Test
    public void sumsAreTheGoldenOnes() throws Exception {
        for (Map.Entry<?, ?> entry : cases().entrySet()) {
            Map<?, ?> expected = (Map<?, ?>) entry.getValue();
            Head head = Golden.head(entry.getKey() + "_untaught");
            assertEquals(expected.get("labels"), head.labels());
            int c = 0;
            for (String label : head.labels()) {
                assertEquals(Json.numbers(expected.get("counts"))[c], head.count(label), 0);
                double[] sums = Json.numbers(((List<?>) expected.get("sums")).get(c++));
                long[] total = head.classes.get(label).total();
                for (int i = 0; i < total.length; i++) {
                    assertEquals((long) sums[i], total[i]);
                }
            }
            double[] gram = Json.numbers(expected.get("gram_lower"));
            for (int i = 0, k = 0; i < head.size(); i++) {
                for (int j = 0; j <= i; j++) {
                    assertEquals((long) gram[k++], head.gram().rows[j][i - j]);
                }
            }
        }
    }

    @Test
    public void choicesAreTheGoldenOnes() throws Exception {
        for (Map.Entry<?, ?> entry : cases().entrySet()) {
            Map<?, ?> expected = (Map<?, ?>) entry.getValue();
            Head head = Golden.head(entry.getKey() + "_untaught");
            assertNull(head.choice());
            Choice choice = head.teach().choice();
            assertEquals((Double) expected.get("strength"), choice.strength(), 0);
            assertEquals((Double) expected.get("temperature"), choice.temperature(), 0);
            assertClose("threshold", number(expected.get("threshold")), choice.threshold());
            LeaveOneOut left = LeaveOneOut.over(new Moments(head.classes.values(), head.gram()),
                    head.classes.values(), Choice.STRENGTHS[choice.strength()])[0];
            assertClose("loss", (Double) expected.get("left_out_loss"), left.loss());
            double[] evidence = Json.numbers(expected.get("left_out_evidence"));
            assertEquals(evidence.length, left.evidence.length);
            for (int i = 0; i < evidence.length; i++) {
                assertClose("left-out evidence " + i, evidence[i], left.evidence[i]);
            }
        }
    }

    @Test
    public void coefficientsAreTheGoldenOnesBitByBit() throws Exception {
        for (Map.Entry<?, ?> entry : cases().entrySet()) {
            Map<?, ?> expected = (Map<?, ?>) entry.getValue();
            for (String form : new String[] {"_untaught", "", "_sums"}) {
                TaughtHead taught = Golden.head(entry.getKey() + form).teach();
                assertBits(expected.get("biases"), taught.biases());
                assertBits(expected.get("mean"), taught.mean());
                for (int c = 0; c < taught.labels().size(); c++) {
                    assertBits(((List<?>) expected.get("coefficients")).get(c),
                            taught.coefficients(c));
                }
            }
        }
    }

    private static void assertBits(Object expected, double[] found) {
        double[] numbers = Json.numbers(expected);
        assertEquals(numbers.length, found.length);
        for (int i = 0; i < found.length; i++) {
            assertEquals(Double.doubleToLongBits(numbers[i]), Double.doubleToLongBits(found[i]));
        }
    }

    @Test
    public void answersAreTheGoldenOnes() throws Exception {
        int nones = 0;
        int answers = 0;
        for (Map.Entry<?, ?> entry : cases().entrySet()) {
            Map<?, ?> expected = (Map<?, ?>) entry.getValue();
            TaughtHead taught = Golden.head(entry.getKey() + "_untaught").teach();
            double[] evidence = Json.numbers(expected.get("evidence"));
            List<?> queries = (List<?>) expected.get("queries");
            for (int q = 0; q < queries.size(); q++) {
                short[] features = Json.features(queries.get(q));
                double[] probabilities =
                        Json.numbers(((List<?>) expected.get("probabilities")).get(q));
                double[] found = taught.probabilities(features);
                for (int c = 0; c < found.length; c++) {
                    assertClose("probability", probabilities[c], found[c]);
                }
                assertClose("evidence", evidence[q], taught.evidence(features));
                assertEquals(evidence[q] > number(expected.get("threshold")),
                        taught.isNone(features));
                nones += taught.isNone(features) ? 1 : 0;
                answers++;
            }
        }
        assertTrue(nones + " of " + answers, nones > 5 && nones < answers - 5);
    }

    @Test
    public void filesAreWrittenAsTheyWereRead() throws Exception {
        for (Object name : cases().keySet()) {
            for (String form : new String[] {"_untaught", "", "_sums"}) {
                byte[] content = Golden.bytes(name + form + ".head");
                assertArrayEquals(name + form, content, HeadFile.write(HeadFile.read(content)));
            }
            assertArrayEquals(Golden.bytes(name + "_sums.head"),
                    HeadFile.write(Golden.head((String) name).withoutPhotographs()));
        }
    }

    @Test
    public void theSamePhotographsGiveTheSameBytesInAnyOrder() throws Exception {
        Head golden = Golden.head("three_classes_untaught");
        List<Map.Entry<String, short[]>> photographs = new ArrayList<>();
        golden.classes.forEach((label, known) -> known.present.forEach(
                features -> photographs.add(new SimpleEntry<>(label, features))));
        Collections.shuffle(photographs, new Random(1));
        Head head = new Head(golden.digest(), golden.size());
        for (Map.Entry<String, short[]> one : photographs) {
            assertTrue(head.add(one.getKey(), one.getValue()));
        }
        assertArrayEquals(HeadFile.write(golden), HeadFile.write(head));
    }

    @Test
    public void damagedFilesAreRefused() throws Exception {
        List<?> bad = (List<?>) Golden.index().get("bad");
        assertTrue(bad.size() >= 20);
        for (Object file : bad) {
            HeadException error = assertThrows((String) file, HeadException.class,
                    () -> HeadFile.read(Golden.bytes((String) file)));
            boolean none = file.equals("bad_empty.head") || file.equals("bad_not_a_head.head");
            boolean other = file.equals("bad_newer.head") || file.equals("bad_former_sums.head");
            assertEquals((String) file, none ? HeadException.Code.NOT_A_HEAD
                    : other ? HeadException.Code.OTHER_VERSION : HeadException.Code.DAMAGED,
                    error.code());
        }
    }

    @Test
    public void whatTheFormerVersionChoseIsVoid() throws Exception {
        Head head = Golden.head("former");
        assertNull(head.choice());
        assertArrayEquals(Golden.bytes("three_classes_untaught.head"), HeadFile.write(head));
    }

    @Test
    public void averagesAreTheGoldenOnes() throws Exception {
        for (Object item : (List<?>) Golden.index().get("averages")) {
            Map<?, ?> one = (Map<?, ?>) item;
            short[] expected = Json.features(one.get("features"));
            int channels = expected.length;
            List<Double> values = new ArrayList<>();
            ((List<?>) one.get("map")).forEach(row -> ((List<?>) row).forEach(
                    place -> ((List<?>) place).forEach(value -> values.add((Double) value))));
            long[] totals = new long[channels];
            float[] floats = new float[values.size()];
            for (int i = 0; i < floats.length; i++) {
                totals[i % channels] += values.get(i).longValue();
                floats[i] = values.get(i).floatValue();
            }
            boolean wide = one.get("dtype").equals("int16");
            int places = floats.length / channels;
            assertArrayEquals(expected, Features.average(totals, places, wide ? 1 : Features.STEPS));
            if (!wide) {
                assertArrayEquals(expected, Features.ofFloat32(floats, channels));
            }
        }
    }

    @Test
    public void int8ActivationsAreAveragedLessTheirZeroPoint() {
        byte[] map = {-128, 0, -127, 127};
        assertArrayEquals(new short[] {64, 24512}, Features.ofInt8(map, 2, -128));
        assertThrows(IllegalArgumentException.class, () -> Features.ofInt8(map, 3, 0));
        assertThrows(IllegalArgumentException.class, () -> Features.ofFloat32(new float[0], 3));
    }
}
