package org.sqzkit.apk;

import static org.junit.Assert.assertArrayEquals;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.junit.Test;

/** What apksig signs is verified by {@link Signer} itself; here is which bytes are left out. */
public class SigningBlockTest {
    private static final int V2 = 0x7109871a;
    private static final int V3 = 0xf05368c0;
    private static final int PADDING = 0x42726577;

    /** Pairs of these numbers, of 5, 6, 7... bytes. */
    private static byte[] block(int... numbers) {
        ByteBuffer block = ByteBuffer.allocate(1000).order(ByteOrder.LITTLE_ENDIAN);
        block.putLong(0);
        for (int i = 0; i < numbers.length; i++) {
            byte[] value = new byte[5 + i];
            java.util.Arrays.fill(value, (byte) numbers[i]);
            block.putLong(4 + value.length).putInt(numbers[i]).put(value);
        }
        long length = block.position() + 16;
        block.putLong(length).put("APK Sig Block 42".getBytes(StandardCharsets.US_ASCII)).putLong(0, length);
        return java.util.Arrays.copyOf(block.array(), block.position());
    }

    @Test
    public void thePaddingIsLeftOut() {
        byte[] bare = block(V2, V3);
        assertArrayEquals(bare, SigningBlock.unpadded(block(V2, V3, PADDING)));
        assertArrayEquals(bare, SigningBlock.unpadded(bare));
    }
}
