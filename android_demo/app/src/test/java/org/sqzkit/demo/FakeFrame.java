package org.sqzkit.demo;

import android.graphics.ImageFormat;
import android.media.Image;
import java.nio.ByteBuffer;

/** A frame of one colour as phones' cameras give it: padded rows, U and V byte by byte in turn. */
final class FakeFrame extends Image {
    static final int WIDTH = 64;
    static final int HEIGHT = 48;
    private static final int PADDING = 16;

    boolean closed;
    private final Plane[] planes;

    /** Takes a colour 0xAARRGGBB. */
    FakeFrame(int color) {
        double red = color >> 16 & 255;
        double green = color >> 8 & 255;
        double blue = color & 255;
        double luma = 0.299 * red + 0.587 * green + 0.114 * blue;
        int stride = WIDTH + PADDING;
        ByteBuffer light = ByteBuffer.allocateDirect(stride * HEIGHT);
        while (light.hasRemaining()) {
            light.put((byte) Math.round(luma));
        }
        ByteBuffer colors = ByteBuffer.allocateDirect(stride * HEIGHT / 2);
        while (colors.hasRemaining()) {
            colors.put((byte) Math.round(128 + (blue - luma) / 1.772));
            colors.put((byte) Math.round(128 + (red - luma) / 1.402));
        }
        colors.position(1);
        ByteBuffer second = colors.slice();
        colors.position(0);
        planes = new Plane[] {
            new FakePlane(light, stride, 1), new FakePlane(colors, stride, 2), new FakePlane(second, stride, 2)
        };
    }

    @Override
    public Plane[] getPlanes() {
        if (closed) {
            throw new IllegalStateException("the image is closed");
        }
        return planes;
    }

    @Override
    public int getFormat() {
        return ImageFormat.YUV_420_888;
    }

    @Override
    public int getWidth() {
        return WIDTH;
    }

    @Override
    public int getHeight() {
        return HEIGHT;
    }

    @Override
    public long getTimestamp() {
        return 0;
    }

    @Override
    public int getTransform() {
        return 0;
    }

    @Override
    public int getScalingMode() {
        return 0;
    }

    @Override
    public void close() {
        closed = true;
    }

    /** One of the three. */
    private static final class FakePlane extends Plane {
        private final ByteBuffer bytes;
        private final int rowStride;
        private final int pixelStride;

        FakePlane(ByteBuffer bytes, int rowStride, int pixelStride) {
            this.bytes = bytes;
            this.rowStride = rowStride;
            this.pixelStride = pixelStride;
        }

        @Override
        public int getRowStride() {
            return rowStride;
        }

        @Override
        public int getPixelStride() {
            return pixelStride;
        }

        @Override
        public ByteBuffer getBuffer() {
            return bytes;
        }
    }
}
