package org.sqzkit.apk;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * In which order an APK has its files, so that it has the fewest bytes.
 *
 * <p>Libraries must begin at a multiple of 16 KB. So that nothing but a few bytes fills the space before
 * each, the files that fit are written there and the rest behind them. How many pages come before each
 * library is tried out.
 */
public final class FileOrder {
    /** What apksig adds to the header of a file that it aligns. */
    private static final int ALIGNMENT_FIELD = 6;
    /** Where other stored files begin: at a multiple of it. */
    private static final int WORD = 4;

    private List<Entry> best = List.of();
    private long bestEnd = Long.MAX_VALUE;

    private FileOrder() {}

    /** A file: its name, its bytes in the APK without the header, and whether they are as they were. */
    public record Entry(String name, int packed, boolean stored) {
        boolean library() {
            return name.startsWith("lib/");
        }

        /** Returns where the file ends that begins at a place. */
        long end(long at) {
            int step = library() ? ElfAligner.PAGE : stored ? WORD : 1;
            long start = at + 30 + name.length() + (step > 1 ? ALIGNMENT_FIELD : 0);
            return roundUp(start, step) + packed;
        }
    }

    private static long roundUp(long at, int step) {
        return (at + step - 1) / step * step;
    }

    /** Returns where the last of the files ends, in the APK that apksig aligns. */
    public static long end(List<Entry> order) {
        long at = 0;
        for (Entry entry : order) {
            at = entry.end(at);
        }
        return at;
    }

    /** Returns the files in their order; the same one for the same files. */
    public static List<Entry> of(List<Entry> files) {
        List<Entry> libraries = new ArrayList<>();
        List<Entry> others = new ArrayList<>();
        files.forEach(file -> (file.library() ? libraries : others).add(file));
        libraries.sort(Comparator.comparing(Entry::name));
        others.sort(Comparator.comparingInt(Entry::packed).reversed().thenComparing(Entry::name));
        FileOrder order = new FileOrder();
        order.place(libraries, others, new ArrayList<>(), 0);
        return order.best;
    }

    /** Tries each number of pages before the first of the libraries that are left. */
    private void place(List<Entry> libraries, List<Entry> others, List<Entry> placed, long at) {
        if (libraries.isEmpty()) {
            List<Entry> all = new ArrayList<>(placed);
            all.addAll(others);
            if (end(all) < bestEnd) {
                best = all;
                bestEnd = end(all);
            }
            return;
        }
        Entry library = libraries.get(0);
        long earliest = library.end(at);
        for (boolean more = true; more; earliest += ElfAligner.PAGE) {
            List<Entry> left = new ArrayList<>(others);
            List<Entry> longer = new ArrayList<>(placed);
            long filled = at;
            for (Entry file : others) {
                long end = file.end(filled);
                if (library.end(end) <= earliest) {
                    filled = end;
                    longer.add(file);
                    left.remove(file);
                }
            }
            longer.add(library);
            place(libraries.subList(1, libraries.size()), left, longer, library.end(filled));
            more = !left.isEmpty();
        }
    }
}
