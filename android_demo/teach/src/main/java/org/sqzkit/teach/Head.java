package org.sqzkit.teach;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Classes, and the photographs taught of each: exact, and independent of the order of teaching.
 *
 * <p>A photograph is its features ({@link Features}). The same features in the same class count
 * once. Sums of photographs whose features are not here take part in everything but removal.
 * docs/teaching.md of sqzkit states the arithmetic. Needs the JDK alone. Only one thread at a time
 * may use a head; any thread may use its {@link TaughtHead}.
 */
public final class Head {
    /** The most classes of a head. */
    public static final int MAX_CLASSES = 1000;
    /** The most photographs of a head, of all classes together: every sum stays below 2^47. */
    public static final int MAX_PHOTOGRAPHS = 100_000;
    /** The most features of a photograph. */
    public static final int MAX_FEATURES = 4096;

    static final int DIGEST_BYTES = 32;
    private static final int MAX_NAME_BYTES = 255;
    private static final Comparator<String> BY_UTF8 = Head::compareUtf8;

    /** By class name, in the order of the names' UTF-8 bytes. */
    final TreeMap<String, Photographs> classes = new TreeMap<>(BY_UTF8);
    /** Of absent photographs, or null if there are none. */
    Gram absent;

    private final byte[] digest;
    private final int size;
    /** Of all photographs, or null: not needed yet. */
    private Gram gram;
    private Choice choice;

    /**
     * Makes an empty head.
     *
     * @param digest SHA-256 of what decides on the network's features
     * @param size number of features, 1..{@link #MAX_FEATURES}
     */
    public Head(byte[] digest, int size) {
        if (digest.length != DIGEST_BYTES || size < 1 || size > MAX_FEATURES) {
            throw new IllegalArgumentException(size + " features, a digest of " + digest.length
                    + " bytes: must be 1.." + MAX_FEATURES + " and " + DIGEST_BYTES);
        }
        this.digest = digest.clone();
        this.size = size;
    }

    public byte[] digest() {
        return digest.clone();
    }

    /** Returns the number of features of a photograph. */
    public int size() {
        return size;
    }

    /** Returns the class names in the order of their UTF-8 bytes. */
    public List<String> labels() {
        return Collections.unmodifiableList(new ArrayList<>(classes.keySet()));
    }

    /** Returns how many photographs a class has, absent ones included; 0 if there is no such class. */
    public int count(String label) {
        Photographs known = classes.get(label);
        return known == null ? 0 : known.count();
    }

    /** Returns the features of a class's photographs, in stored order; none of absent ones. */
    public List<short[]> photographs(String label) {
        List<short[]> found = new ArrayList<>();
        if (classes.containsKey(label)) {
            for (short[] features : classes.get(label).present) {
                found.add(features.clone());
            }
        }
        return found;
    }

    /** Returns how many photographs there are, absent ones included. */
    public int count() {
        return (int) total();
    }

    /**
     * Returns how many photographs of each class a head recognizes that was taught without them, in
     * the order of {@link #labels}. One that is alone in its class is not.
     *
     * @throws HeadException NOTHING_TAUGHT; DAMAGED if the sums cannot be those of photographs
     */
    public int[] recognized() throws HeadException {
        Moments moments = moments();
        choose(moments);
        double strength = Choice.STRENGTHS[choice.strength()];
        return LeaveOneOut.over(moments, classes.values(), strength)[0].recognized;
    }

    /** Returns what left-out photographs decided, or null if the photographs have changed since. */
    public Choice choice() {
        return choice;
    }

    boolean hasPhotographs() {
        for (Photographs one : classes.values()) {
            if (!one.present.isEmpty()) {
                return true;
            }
        }
        return false;
    }

    void setChoice(Choice choice) {
        this.choice = choice;
    }

    /**
     * Teaches a photograph; returns whether it is new to its class.
     *
     * @param label the class, which is made if there is none of that name
     * @throws HeadException BAD_NAME or TOO_LARGE
     */
    public boolean add(String label, short[] features) throws HeadException {
        checkName(label);
        checkSize(features, size);
        for (short feature : features) {
            if (feature < -Short.MAX_VALUE) {
                throw new IllegalArgumentException("feature " + feature + ": at least -32767");
            }
        }
        Photographs known = classes.get(label);
        if (known == null && classes.size() >= MAX_CLASSES) {
            throw new HeadException(HeadException.Code.TOO_LARGE,
                    "a head holds at most " + MAX_CLASSES + " classes");
        }
        if (total() >= MAX_PHOTOGRAPHS) {
            throw new HeadException(HeadException.Code.TOO_LARGE,
                    "a head holds at most " + MAX_PHOTOGRAPHS + " photographs");
        }
        if (known == null) {
            known = new Photographs(size);
            classes.put(label, known);
        }
        if (!known.present.add(features.clone())) {
            return false;
        }
        count(features, 1);
        return true;
    }

    /**
     * Takes a photograph back; a class goes with its last one.
     *
     * @throws HeadException NO_SUCH_PHOTOGRAPH
     */
    public void remove(String label, short[] features) throws HeadException {
        checkSize(features, size);
        Photographs known = classes.get(label);
        if (known == null || !known.present.remove(features)) {
            throw new HeadException(HeadException.Code.NO_SUCH_PHOTOGRAPH,
                    "class '" + label + "' does not hold this photograph");
        }
        if (known.count() == 0) {
            classes.remove(label);
        }
        count(features, -1);
    }

    /**
     * Gives a class another name; merges it with the class of that name if there is one.
     *
     * @throws HeadException NO_SUCH_CLASS or BAD_NAME
     */
    public void rename(String label, String name) throws HeadException {
        checkName(name);
        Photographs known = known(label);
        if (name.equals(label)) {
            return;
        }
        if (classes.containsKey(name)) {
            // A photograph that both classes held counts once from now on.
            gram = null;
        }
        classes.remove(label);
        merge(name, known);
        choice = null;
    }

    /**
     * Deletes a class with its photographs.
     *
     * @throws HeadException NO_SUCH_CLASS; ONLY_SUMS if what its photographs added to the common
     *     sums is not known
     */
    public void delete(String label) throws HeadException {
        Photographs known = known(label);
        if (known.absent > 0) {
            throw new HeadException(HeadException.Code.ONLY_SUMS, "class '" + label + "' holds "
                    + known.absent + " photographs of which only sums are here");
        }
        classes.remove(label);
        for (short[] features : known.present) {
            count(features, -1);
        }
    }

    /**
     * Returns the head of both heads' photographs; classes of one name become one.
     *
     * @throws HeadException OTHER_MODEL, or TOO_LARGE
     */
    public Head merge(Head other) throws HeadException {
        checkModel(other.digest, other.size);
        Head both = new Head(digest, size);
        for (Head head : new Head[] {this, other}) {
            for (Map.Entry<String, Photographs> one : head.classes.entrySet()) {
                both.merge(one.getKey(), one.getValue());
            }
            if (head.absent != null && both.absent == null) {
                both.absent = head.absent.copy();
            } else if (head.absent != null) {
                both.absent.add(head.absent);
            }
        }
        if (both.classes.size() > MAX_CLASSES || both.total() > MAX_PHOTOGRAPHS) {
            throw new HeadException(HeadException.Code.TOO_LARGE, both.classes.size()
                    + " classes and " + both.total() + " photographs together: a head holds at most "
                    + MAX_CLASSES + " and " + MAX_PHOTOGRAPHS);
        }
        both.choice = both.hasPhotographs() ? null : Choice.moreCautious(choice, other.choice);
        return both;
    }

    /**
     * Returns a head with the sums of all photographs and the features of none.
     *
     * @throws HeadException NOTHING_TAUGHT, or DAMAGED
     */
    public Head withoutPhotographs() throws HeadException {
        choose(moments());
        Head sums = new Head(digest, size);
        for (Map.Entry<String, Photographs> one : classes.entrySet()) {
            Photographs absent = new Photographs(size);
            absent.addAbsent(one.getValue().count(), one.getValue().total());
            sums.classes.put(one.getKey(), absent);
        }
        sums.absent = gram().copy();
        sums.choice = choice;
        return sums;
    }

    /**
     * Returns the classifier of everything taught, with a new choice if the photographs changed.
     *
     * @throws HeadException NOTHING_TAUGHT; DAMAGED if the sums cannot be those of photographs
     */
    public TaughtHead teach() throws HeadException {
        Moments moments = moments();
        choose(moments);
        return new TaughtHead(labels(), moments, choice);
    }

    /**
     * Returns the classifier with a choice that was made before: much faster, for an answer after
     * each photograph. The head's own choice stays as it is.
     *
     * @throws HeadException NOTHING_TAUGHT; DAMAGED if the sums cannot be those of photographs
     */
    public TaughtHead teach(Choice former) throws HeadException {
        return new TaughtHead(labels(), moments(), former);
    }

    /**
     * Refuses a head of another model.
     *
     * @param digest of the model's features
     * @param size number of the model's features
     * @throws HeadException OTHER_MODEL
     */
    public void checkModel(byte[] digest, int size) throws HeadException {
        if (size != this.size || !Arrays.equals(digest, this.digest)) {
            throw new HeadException(HeadException.Code.OTHER_MODEL,
                    "the head was taught on the features of another model");
        }
    }

    /** Returns the sums over all photographs. */
    Gram gram() {
        if (gram == null) {
            gram = absent == null ? new Gram(size) : absent.copy();
            for (Photographs one : classes.values()) {
                for (short[] features : one.present) {
                    gram.add(features, 1);
                }
            }
        }
        return gram;
    }

    long total() {
        long total = 0;
        for (Photographs one : classes.values()) {
            total += one.count();
        }
        return total;
    }

    /** Returns why a class name cannot be stored, or null. */
    static String objection(String name) {
        int length = name.length();
        boolean spaces = length == 0 || isSpace(name.codePointAt(0))
                || isSpace(name.codePointBefore(length));
        if (spaces) {
            return "is empty, or has a space at its ends";
        }
        for (int i = 0; i < length; i += Character.charCount(name.codePointAt(i))) {
            int category = Character.getType(name.codePointAt(i));
            if (category == Character.CONTROL || category == Character.SURROGATE
                    || category == Character.LINE_SEPARATOR
                    || category == Character.PARAGRAPH_SEPARATOR) {
                return "is not one line of text";
            }
        }
        return utf8(name).length > MAX_NAME_BYTES ? "has more than 255 bytes as UTF-8" : null;
    }

    static void checkSize(short[] features, int size) {
        if (features.length != size) {
            throw new IllegalArgumentException(features.length + " features: must be " + size);
        }
    }

    static byte[] utf8(String name) {
        return name.getBytes(StandardCharsets.UTF_8);
    }

    static int compareUtf8(String first, String second) {
        byte[] one = utf8(first);
        byte[] two = utf8(second);
        for (int i = 0; i < Math.min(one.length, two.length); i++) {
            if (one[i] != two[i]) {
                return (one[i] & 255) - (two[i] & 255);
            }
        }
        return one.length - two.length;
    }

    private static boolean isSpace(int codePoint) {
        return Character.getType(codePoint) == Character.SPACE_SEPARATOR;
    }

    private static void checkName(String name) throws HeadException {
        String objection = objection(name);
        if (objection != null) {
            throw new HeadException(HeadException.Code.BAD_NAME,
                    "class name '" + name + "' " + objection);
        }
    }

    private Photographs known(String label) throws HeadException {
        Photographs known = classes.get(label);
        if (known == null) {
            throw new HeadException(HeadException.Code.NO_SUCH_CLASS,
                    "no class '" + label + "': there are " + classes.keySet());
        }
        return known;
    }

    /** Adds photographs to a class, which is made if there is none of that name. */
    private void merge(String label, Photographs more) {
        Photographs known = classes.get(label);
        if (known == null) {
            known = new Photographs(size);
            classes.put(label, known);
        }
        known.present.addAll(more.present);
        known.addAbsent(more.absent, more.absentTotal());
    }

    private void count(short[] features, int sign) {
        if (gram != null) {
            gram.add(features, sign);
        }
        choice = null;
    }

    private void choose(Moments moments) throws HeadException {
        if (choice == null) {
            choice = LeaveOneOut.choose(moments, classes.values());
        }
    }

    Moments moments() throws HeadException {
        if (classes.isEmpty()) {
            throw new HeadException(HeadException.Code.NOTHING_TAUGHT,
                    "nothing was taught yet: add photographs first");
        }
        return new Moments(classes.values(), gram());
    }
}
