package org.sqzkit.apk;

import com.android.apksig.ApkSignerEngine;
import com.android.apksig.ApkSignerEngine.OutputApkSigningBlockRequest;
import com.android.apksig.ApkSignerEngine.OutputApkSigningBlockRequest2;
import com.android.apksig.util.DataSource;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The block of signatures in an APK: its length, pairs of a number and bytes, its length, and a magic word.
 *
 * <p>apksig fills the files before it and the block itself up to a page, which only signatures for fs-verity
 * need. Without that an APK is as long as what it holds.
 */
final class SigningBlock {
    private static final int PADDING = 0x42726577;
    /** Length and magic word behind the pairs. */
    private static final int END = 8 + 16;

    private SigningBlock() {}

    /** Returns an engine that signs as another does, without padding. */
    static ApkSignerEngine unpadded(ApkSignerEngine engine) {
        Class<?>[] types = {ApkSignerEngine.class};
        return (ApkSignerEngine) Proxy.newProxyInstance(
                ApkSignerEngine.class.getClassLoader(), types, (proxy, method, given) -> {
                    if (method.getName().equals("outputZipSections2")) {
                        return unpadded(engine.outputZipSections(
                                (DataSource) given[0], (DataSource) given[1], (DataSource) given[2]));
                    }
                    try {
                        return method.invoke(engine, given);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static OutputApkSigningBlockRequest2 unpadded(OutputApkSigningBlockRequest signed) {
        byte[] block = unpadded(signed.getApkSigningBlock());
        return new OutputApkSigningBlockRequest2() {
            @Override
            public byte[] getApkSigningBlock() {
                return block;
            }

            @Override
            public void done() {
                signed.done();
            }

            @Override
            public int getPaddingSizeBeforeApkSigningBlock() {
                return 0;
            }
        };
    }

    /** Returns a block without its padding. */
    static byte[] unpadded(byte[] block) {
        ByteBuffer in = ByteBuffer.wrap(block).order(ByteOrder.LITTLE_ENDIAN);
        ByteArrayOutputStream pairs = new ByteArrayOutputStream();
        for (int at = 8; at < block.length - END; at += 8 + (int) in.getLong(at)) {
            if (in.getInt(at + 8) != PADDING) {
                pairs.write(block, at, 8 + (int) in.getLong(at));
            }
        }
        long length = pairs.size() + END;
        return ByteBuffer.allocate(8 + (int) length).order(ByteOrder.LITTLE_ENDIAN).putLong(length)
                .put(pairs.toByteArray()).putLong(length).put(block, block.length - 16, 16).array();
    }
}
