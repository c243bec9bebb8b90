package org.sqzkit.apk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.junit.Test;

/** Files as aapt2 writes them; that Android reads the shorter ones is what every test of a screen shows. */
public class CompiledXmlTest {
    private static final byte[] ELEMENTS = {2, 1, 16, 0, 16, 0, 0, 0, 1, 0, 0, 0, -1, -1, -1, -1};

    private static byte[] file(int flags, int numbers, String... strings) {
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        ByteBuffer offsets = ByteBuffer.allocate(4 * strings.length).order(ByteOrder.LITTLE_ENDIAN);
        for (String string : strings) {
            offsets.putInt(data.size());
            byte[] bytes = string.getBytes(StandardCharsets.UTF_8);
            for (int length : new int[] {string.length(), bytes.length}) {
                if (length > 127) {
                    data.write(length >> 8 | 0x80);
                }
                data.write(length);
            }
            data.writeBytes(bytes);
            data.write(0);
        }
        data.writeBytes(new byte[-data.size() & 3]);
        int pool = 28 + 4 * strings.length + data.size();
        int map = numbers == 0 ? 0 : 8 + 4 * numbers;
        ByteBuffer out = ByteBuffer.allocate(8 + pool + map + ELEMENTS.length).order(ByteOrder.LITTLE_ENDIAN);
        out.putShort((short) 3).putShort((short) 8).putInt(out.capacity());
        out.putShort((short) 1).putShort((short) 28).putInt(pool).putInt(strings.length).putInt(0)
                .putInt(flags).putInt(28 + 4 * strings.length).putInt(0)
                .put(offsets.array()).put(data.toByteArray());
        if (map > 0) {
            out.putShort((short) 0x180).putShort((short) 8).putInt(map);
            for (int i = 0; i < numbers; i++) {
                out.putInt(0x01010000 + i);
            }
        }
        return out.put(ELEMENTS).array();
    }

    private static byte[] withUniqueStrings(int numbers, String... strings) {
        return file(0x100, numbers, strings);
    }

    @Test
    public void onlyNamesWithNumbersAreLeftOut() {
        String text = "ä".repeat(100) + "x".repeat(100);
        byte[] before = withUniqueStrings(1, "layout_width", "style", text);
        assertArrayEquals(withUniqueStrings(1, "", "style", text), CompiledXml.withoutAttributeNames(before));
    }

    @Test
    public void namesThatAreLeftOutShareOnePlace() {
        byte[] before = withUniqueStrings(3, "id", "text", "padding", "", "style");
        ByteBuffer after = ByteBuffer.wrap(CompiledXml.withoutAttributeNames(before))
                .order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(after.capacity(), after.getInt(4));
        for (int i = 0; i < 4; i++) {
            assertEquals(0, after.getInt(36 + 4 * i));
        }
        assertEquals(3, after.getInt(36 + 4 * 4));
        assertEquals("the numbers follow the pool", 0x180, after.getShort(8 + after.getInt(12)));
    }

    @Test
    public void otherFilesStayAsTheyAre() {
        byte[] without = withUniqueStrings(0, "a", "b");
        assertArrayEquals(without, CompiledXml.withoutAttributeNames(without));
        byte[] wide = file(0, 1, "id", "style");
        assertArrayEquals(wide, CompiledXml.withoutAttributeNames(wide));
    }
}
