package org.sqzkit.apk;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A layout or drawable as aapt2 compiles it: a pool of strings, the numbers of the attributes whose
 * names begin the pool, then the elements.
 *
 * <p>Android looks these attributes up by number, so their names would only take room.
 */
final class CompiledXml {
    private static final int FILE_HEADER = 8;
    private static final int POOL_HEADER = 28;
    private static final short POOL = 1;
    private static final short NUMBERS = 0x180;
    private static final int UTF_8 = 0x100;

    private CompiledXml() {}

    /** Returns a file without the names of attributes that have numbers; as it is if it has none. */
    static byte[] withoutAttributeNames(byte[] xml) {
        ByteBuffer in = ByteBuffer.wrap(xml).order(ByteOrder.LITTLE_ENDIAN);
        int rest = FILE_HEADER + in.getInt(FILE_HEADER + 4);
        int count = in.getInt(FILE_HEADER + 8);
        boolean plain = in.getShort(FILE_HEADER) == POOL && in.getInt(FILE_HEADER + 12) == 0
                && in.getInt(FILE_HEADER + 16) == UTF_8;
        if (!plain || in.getShort(rest) != NUMBERS) {
            return xml;
        }
        int numbers = (in.getInt(rest + 4) - 8) / 4;
        Map<String, Integer> places = new LinkedHashMap<>();
        ByteArrayOutputStream strings = new ByteArrayOutputStream();
        ByteBuffer offsets = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < count; i++) {
            byte[] string = i < numbers ? new byte[3] : string(xml, in, i);
            String key = Arrays.toString(string);
            if (places.putIfAbsent(key, strings.size()) == null) {
                strings.writeBytes(string);
            }
            offsets.putInt(places.get(key));
        }
        strings.writeBytes(new byte[-strings.size() & 3]);
        int size = POOL_HEADER + 4 * count + strings.size();
        return ByteBuffer.allocate(FILE_HEADER + size + xml.length - rest).order(ByteOrder.LITTLE_ENDIAN)
                .put(xml, 0, FILE_HEADER + POOL_HEADER).put(offsets.array()).put(strings.toByteArray())
                .put(xml, rest, xml.length - rest)
                .putInt(4, FILE_HEADER + size + xml.length - rest).putInt(FILE_HEADER + 4, size)
                .putInt(FILE_HEADER + 20, POOL_HEADER + 4 * count).array();
    }

    /** A string with its lengths in letters and bytes before it and a zero behind it. */
    private static byte[] string(byte[] xml, ByteBuffer in, int number) {
        int start = FILE_HEADER + in.getInt(FILE_HEADER + 20)
                + in.getInt(FILE_HEADER + POOL_HEADER + 4 * number);
        int at = start + (xml[start] < 0 ? 2 : 1);
        int length = xml[at] < 0 ? (xml[at] & 0x7f) << 8 | xml[at + 1] & 0xff : xml[at];
        at += xml[at] < 0 ? 2 : 1;
        return Arrays.copyOfRange(xml, start, at + length + 1);
    }
}
