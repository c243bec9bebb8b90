package org.sqzkit.teach;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Locale;

/**
 * Prints what it takes to teach one photograph to a head of 20 classes: CPU time, median and slowest
 * of 20 after a warm-up.
 * docs/android.md says how to run it. The argument is the number of photographs of each class.
 */
public final class TeachBenchmark {
    private static final int FEATURES = 512;
    private static final int CLASSES = 20;
    private static final int RUNS = 20;

    private static final ThreadMXBean THREADS =
            (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private TeachBenchmark() {}

    /** What is measured. */
    interface Task {
        void run() throws HeadException;
    }

    public static void main(String[] arguments) throws HeadException {
        int each = arguments.length == 0 ? 20 : Integer.parseInt(arguments[0]);
        Head head = head(each);
        Choice choice = head.teach().choice();
        short[][] more = Golden.photographs(FEATURES, 4 * RUNS, 99);
        System.out.printf(Locale.ROOT, "%d classes of %d photographs, %d features%n", CLASSES, each,
                FEATURES);
        int[] next = {0};
        measure("sums of one photograph", () -> head.add("class 0", more[next[0]++]));
        measure("new head, strength as before", () -> head.teach(choice));
        measure("answer", () -> head.teach(choice).probabilities(more[0]));
        measure("new head, strength chosen", () -> {
            head.add("class 0", more[next[0]++]);
            head.teach();
        });
    }

    /** Returns a head of made photographs, with its sums. */
    static Head head(int each) throws HeadException {
        Head head = new Head(Golden.DIGEST, FEATURES);
        for (int c = 0; c < CLASSES; c++) {
            Golden.add(head, "class " + c, Golden.photographs(FEATURES, each, c));
        }
        head.gram();
        return head;
    }

    /** Returns the bytes that a task allocates: at least all that it ever holds at once. */
    static long allocated(Task task) throws HeadException {
        long self = Thread.currentThread().getId();
        long before = THREADS.getThreadAllocatedBytes(self);
        task.run();
        return THREADS.getThreadAllocatedBytes(self) - before;
    }

    private static void measure(String what, Task task) throws HeadException {
        for (int k = 0; k < RUNS; k++) {
            task.run();
        }
        long[] times = new long[RUNS];
        long bytes = 0;
        for (int k = 0; k < RUNS; k++) {
            // This thread's own time: other work does not count.
            long start = THREADS.getCurrentThreadCpuTime();
            bytes = Math.max(bytes, allocated(task));
            times[k] = THREADS.getCurrentThreadCpuTime() - start;
        }
        Arrays.sort(times);
        System.out.printf(Locale.ROOT, "%s: %.2f ms, slowest %.2f ms; %.1f MB allocated%n", what,
                times[RUNS / 2] / 1e6, times[RUNS - 1] / 1e6, bytes / 1e6);
    }
}
