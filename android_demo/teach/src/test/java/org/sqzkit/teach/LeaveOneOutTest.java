package org.sqzkit.teach;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import org.junit.Test;

public class LeaveOneOutTest {
    private static Head head() throws HeadException {
        Head head = new Head(Golden.DIGEST, 4);
        for (int c = 0; c < 3; c++) {
            Golden.add(head, "class " + c, Golden.photographs(4, 200 + 50 * c, c));
        }
        return head;
    }

    /** Nearly: the ridge and the number of photographs, which are held, hardly matter here. */
    @Test
    public void evidenceIsThatOfAHeadTaughtWithoutThePhotograph() throws HeadException {
        Head head = head();
        short[] outlier = {-4000, 0, 900, 0};
        Choice weakest = new Choice(0, 1, 0);
        head.add("class 0", outlier);
        Moments moments = new Moments(head.classes.values(), head.gram());
        int place = head.classes.get("class 0").present.headSet(outlier).size();
        double found = LeaveOneOut.over(moments, head.classes.values(), 0.05)[0].evidence[place];
        double within = head.teach(weakest).evidence(outlier);
        head.remove("class 0", outlier);
        double without = head.teach(weakest).evidence(outlier);
        assertEquals(without, found, 0.01 * without);
        assertTrue(within + " and " + without, within < 0.8 * without);
    }

    @Test
    public void thresholdLetsFivePercentThrough() throws HeadException {
        Head head = head();
        Choice choice = head.teach().choice();
        double[] evidence = LeaveOneOut.over(new Moments(head.classes.values(), head.gram()),
                head.classes.values(), Choice.STRENGTHS[choice.strength()])[0].evidence;
        assertEquals(750, evidence.length);
        assertEquals(36, Arrays.stream(evidence).filter(e -> e > choice.threshold()).count());
    }

    @Test
    public void probabilitiesAreCalibrated() throws HeadException {
        Head head = new Head(Golden.DIGEST, 4);
        for (int c = 0; c < 2; c++) {
            Golden.add(head, "class " + c, Golden.photographs(4, 600, c));
        }
        TaughtHead taught = head.teach();
        double sure = 0;
        int right = 0;
        for (int c = 0; c < 2; c++) {
            for (short[] features : Golden.photographs(4, 1200, c)) {
                double[] found = taught.probabilities(features);
                sure += Math.max(found[0], found[1]) / 2400;
                right += found[c] > 0.5 ? 1 : 0;
            }
        }
        assertTrue("the classes overlap: " + right, right > 1500 && right < 2390);
        assertEquals(right / 2400.0, sure, 0.02);
    }

    @Test
    public void aloneInItsClassIsNotLeftOut() throws HeadException {
        Head head = new Head(Golden.DIGEST, 4);
        Golden.add(head, "alone", Golden.photographs(4, 1, 1));
        Golden.add(head, "several", Golden.photographs(4, 6, 2));
        Moments moments = new Moments(head.classes.values(), head.gram());
        LeaveOneOut left = LeaveOneOut.over(moments, head.classes.values(), 0.5)[0];
        assertEquals(6, left.evidence.length);
        assertTrue(left.loss() >= 0 && left.loss() < 1);
    }
}
