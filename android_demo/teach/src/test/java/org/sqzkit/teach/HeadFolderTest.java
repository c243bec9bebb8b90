package org.sqzkit.teach;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** What is kept in a folder, and that it survives the end of the process at any moment. */
public class HeadFolderTest {
    private static final int SIZE = 64;
    private static final int KILLS = 50;
    /** Maven's own property names the classes even where the usual one names a jar of it. */
    private static final String CLASSES = System.getProperty(
            "surefire.test.class.path", System.getProperty("java.class.path"));

    @Rule
    public final TemporaryFolder folders = new TemporaryFolder();

    private static short[] photograph(int number) {
        short[] features = Golden.photographs(SIZE, 1, number % 3)[0];
        features[0] = (short) number;
        return features;
    }

    private static String label(int number) {
        return "class " + number % 3;
    }

    /** Teaches photographs one after the other until its process ends; says how far it came. */
    public static final class Teacher {
        private Teacher() {}

        public static void main(String[] arguments) throws Exception {
            HeadFolder folder = new HeadFolder(new File(arguments[0]));
            Thread ending = new Thread(() -> end(Long.parseLong(arguments[1])));
            Head head = folder.read();
            head = head == null ? new Head(Golden.DIGEST, SIZE) : head;
            for (int number = head.count(); ; number++) {
                folder.writePicture(photograph(number), new byte[] {(byte) number});
                head.add(label(number), photograph(number));
                folder.write(head);
                System.out.println(head.count());
                if (ending.getState() == Thread.State.NEW) {
                    ending.start(); // so that a slow machine has written something too
                }
            }
        }

        /** Ends the process at once, in the midst of what the other thread does. */
        private static void end(long milliseconds) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(milliseconds));
            Runtime.getRuntime().halt(9);
        }
    }

    /** Runs a teacher until it ends; returns how many photographs it said it had written. */
    private static int ended(File folder, int milliseconds) throws Exception {
        Process teacher = new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-cp",
                CLASSES, "-XX:TieredStopAtLevel=1", "-Xshare:auto",
                Teacher.class.getName(), folder.getPath(), String.valueOf(milliseconds))
                .redirectErrorStream(true).start();
        int said = 0;
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(teacher.getInputStream()))) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                said = line.isEmpty() ? said : Integer.parseInt(line);
            }
        }
        assertEquals(9, teacher.waitFor());
        return said;
    }

    @Test
    public void fiftyKillsLoseNothing() throws Exception {
        File place = folders.newFolder();
        Random random = new Random(0);
        int before = 0;
        for (int i = 0; i < KILLS; i++) {
            int said = ended(place, random.nextInt(30));
            HeadFolder folder = new HeadFolder(place);
            Head head = folder.read();
            assertTrue(head.count() + " kept of " + said, head.count() >= said);
            assertTrue("more than the photograph at work is lost", head.count() <= said + 1);
            assertTrue(head.count() > before);
            before = head.count();
            for (int number = 0; number < before; number++) {
                assertTrue("no picture " + number, folder.picture(photograph(number)).exists());
            }
            folder.clean(head);
            assertEquals(before + 1, place.list().length);
        }
    }

    @Test
    public void keepsHeadAndPicturesAndForgetsThem() throws Exception {
        File place = new File(folders.getRoot(), "new");
        HeadFolder folder = new HeadFolder(place);
        assertNull(folder.read());
        assertEquals(0, folder.bytes());
        Head head = new Head(Golden.DIGEST, SIZE);
        for (int number = 0; number < 3; number++) {
            folder.writePicture(photograph(number), new byte[100]);
            head.add(label(number), photograph(number));
        }
        folder.write(head);
        assertArrayEquals(HeadFile.write(head), HeadFile.write(folder.read()));
        assertEquals(300 + HeadFile.write(head).length, folder.bytes());
        head.rename("class 0", "class 1");
        folder.clean(head);
        assertTrue(folder.picture(photograph(0)).exists());
        head.remove("class 1", photograph(0));
        folder.clean(head);
        assertFalse(folder.picture(photograph(0)).exists());
        assertTrue(folder.picture(photograph(1)).exists());
        head.delete("class 1");
        head.delete("class 2");
        folder.write(head);
        folder.clean(head);
        assertEquals(0, place.list().length);
    }

    @Test
    public void aDamagedFileIsSetAside() throws Exception {
        File place = folders.newFolder();
        HeadFolder folder = new HeadFolder(place);
        Head head = new Head(Golden.DIGEST, SIZE);
        head.add("mug", photograph(0));
        folder.write(head);
        File file = new File(place, "taught.head");
        Files.write(file.toPath(), Arrays.copyOf(Files.readAllBytes(file.toPath()), 90));
        try {
            folder.read();
            fail("a damaged file was read");
        } catch (HeadException error) {
            assertSame(HeadException.Code.DAMAGED, error.code());
        }
        assertNull(folder.read());
        assertTrue(new File(place, "damaged.head").exists());
    }

    @Test
    public void aFolderThatCannotBeWrittenKeepsWhatWasThere() throws Exception {
        File place = folders.newFile();
        try {
            new HeadFolder(place).writePicture(photograph(0), new byte[1]);
            fail("a file is not a folder");
        } catch (IOException error) {
            assertEquals(0, place.length());
        }
    }

    @Test
    public void recognizedCountsWhatLeftOutPhotographsSay() throws Exception {
        Head head = new Head(Golden.DIGEST, SIZE);
        for (int number = 0; number < 12; number++) {
            head.add(label(number), photograph(number));
        }
        head.add("alone", Golden.photographs(SIZE, 1, 9)[0]);
        assertArrayEquals(new int[] {0, 4, 4, 4}, head.recognized());
        head.rename("alone", "class 0");
        assertEquals(3, head.recognized().length);
    }
}
