package org.sqzkit.demo;

import android.annotation.SuppressLint;
import android.content.Context;
import android.graphics.ImageFormat;
import android.graphics.SurfaceTexture;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCaptureSession;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.CaptureRequest;
import android.hardware.camera2.params.StreamConfigurationMap;
import android.media.Image;
import android.media.ImageReader;
import android.os.Handler;
import android.os.HandlerThread;
import android.util.Size;
import android.view.Surface;
import java.io.Closeable;
import java.util.Arrays;

/** One camera, shown on a texture and giving frames to be classified. */
final class LiveCamera {
    /** About what a 227 or 256 pixel model can use of a frame. */
    private static final int WANTED_AREA = 640 * 480;

    /** A preview need not be sharper than this. */
    private static final int MAX_PREVIEW_AREA = 1920 * 1440;

    private static final int FRAMES_HELD = 3;

    private final Context context;
    private final Listener listener;
    private final HandlerThread thread = new HandlerThread("camera");
    private Handler handler;
    private CameraDevice device;
    private ImageReader reader;
    private Surface preview;
    private Size previewSize;
    private boolean closed;
    private int framesOut;
    private boolean readerClosing;

    /** Which way the sensor is built in, degrees clockwise; known once opened. */
    private int sensorTurn;

    private final boolean frontWanted;
    private boolean front;
    private boolean choice;
    private volatile boolean hasTorch;
    private CameraCaptureSession session;
    private CaptureRequest.Builder request;

    /** Uses a front camera if {@code frontWanted}, otherwise a back camera; if there is none, any. */
    LiveCamera(Context context, boolean frontWanted, Listener listener) {
        this.context = context;
        this.frontWanted = frontWanted;
        this.listener = listener;
    }

    /** Gets what the camera delivers, on any thread. */
    interface Listener {
        /** A frame; the receiver must close it. */
        void frame(LiveCamera from, Frame frame);

        /** The camera cannot be used. */
        void failed(LiveCamera from, AppError error);
    }

    /** One frame. Its memory is valid until it is closed, even if the camera is closed before. */
    final class Frame implements Closeable {
        private final Image image;
        private boolean open = true;

        private Frame(Image image) {
            this.image = image;
        }

        Image image() {
            return image;
        }

        @Override
        public void close() {
            synchronized (LiveCamera.this) {
                if (open) {
                    open = false;
                    image.close();
                    framesOut--;
                    closeReader();
                }
            }
        }
    }

    /** The size of the preview in the sensor's orientation; null before a camera was found. */
    Size previewSize() {
        return previewSize;
    }

    /** Whether there are both a front and a back camera; known once opened. */
    boolean hasChoice() {
        return choice;
    }

    /** Whether the camera has a light; known once opened. */
    boolean hasTorch() {
        return hasTorch;
    }

    /** Switches the light on or off. */
    void setTorch(boolean on) {
        handler.post(() -> {
            if (session != null) {
                request.set(CaptureRequest.FLASH_MODE,
                        on ? CaptureRequest.FLASH_MODE_TORCH : CaptureRequest.FLASH_MODE_OFF);
                repeat();
            }
        });
    }

    /** Stops the preview at its present picture, or lets it go on. */
    void setFrozen(boolean frozen) {
        handler.post(() -> {
            try {
                if (session != null && frozen) {
                    session.stopRepeating();
                } else if (session != null) {
                    repeat();
                }
            } catch (CameraAccessException | RuntimeException e) {
                fail();
            }
        });
    }

    private void repeat() {
        try {
            session.setRepeatingRequest(request.build(), null, handler);
        } catch (CameraAccessException | RuntimeException e) {
            fail();
        }
    }

    /** Opens the camera; the permission must be held. */
    @SuppressLint("MissingPermission")
    void open(SurfaceTexture texture) {
        thread.start();
        handler = new Handler(thread.getLooper());
        CameraManager cameras = (CameraManager) context.getSystemService(Context.CAMERA_SERVICE);
        try {
            String id = choose(cameras);
            if (id == null) {
                listener.failed(this, new AppError(R.string.error_no_camera));
                return;
            }
            CameraCharacteristics facts = cameras.getCameraCharacteristics(id);
            Size size = frameSize(facts);
            hasTorch = Boolean.TRUE.equals(facts.get(CameraCharacteristics.FLASH_INFO_AVAILABLE));
            Integer turn = facts.get(CameraCharacteristics.SENSOR_ORIENTATION);
            sensorTurn = turn == null ? 0 : turn;
            previewSize = previewSize(facts, size);
            texture.setDefaultBufferSize(previewSize.getWidth(), previewSize.getHeight());
            preview = new Surface(texture);
            reader = ImageReader.newInstance(
                    size.getWidth(), size.getHeight(), ImageFormat.YUV_420_888, FRAMES_HELD);
            reader.setOnImageAvailableListener(this::available, handler);
            cameras.openCamera(id, new Opened(), handler);
        } catch (CameraAccessException | RuntimeException e) {
            // Cameras of some phones throw what the documentation does not name.
            fail();
        }
    }

    private void fail() {
        listener.failed(this, new AppError(R.string.error_camera_failed));
    }

    private String choose(CameraManager cameras) throws CameraAccessException {
        String back = null;
        String other = null;
        for (String id : cameras.getCameraIdList()) {
            int facing = facing(cameras, id);
            if (facing == CameraCharacteristics.LENS_FACING_BACK) {
                back = back == null ? id : back;
            } else if (other == null) {
                other = id;
            }
        }
        choice = back != null && other != null
                && facing(cameras, other) == CameraCharacteristics.LENS_FACING_FRONT;
        String chosen = back == null || choice && frontWanted ? other : back;
        front = chosen != null
                && facing(cameras, chosen) == CameraCharacteristics.LENS_FACING_FRONT;
        return chosen;
    }

    private static int facing(CameraManager cameras, String id) throws CameraAccessException {
        Integer facing = cameras.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING);
        return facing == null ? -1 : facing;
    }

    private static Size frameSize(CameraCharacteristics facts) {
        StreamConfigurationMap map =
                facts.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP);
        Size[] sizes = map == null ? null : map.getOutputSizes(ImageFormat.YUV_420_888);
        return sizes == null || sizes.length == 0 ? new Size(640, 480) : nearest(sizes);
    }

    /** The size whose area is nearest to what is wanted; every camera has 640x480 or near. */
    static Size nearest(Size[] sizes) {
        Size best = sizes[0];
        for (Size size : sizes) {
            if (distance(size) < distance(best)) {
                best = size;
            }
        }
        return best;
    }

    private static long distance(Size size) {
        return Math.abs(area(size) - WANTED_AREA);
    }

    private static Size previewSize(CameraCharacteristics facts, Size frame) {
        StreamConfigurationMap map =
                facts.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP);
        Size[] sizes = map == null ? null : map.getOutputSizes(SurfaceTexture.class);
        return sizes == null ? frame : sharpest(sizes, frame);
    }

    /** Returns the largest useful size with the frame's aspect ratio; the frame's size if there is none. */
    static Size sharpest(Size[] sizes, Size frame) {
        Size best = frame;
        for (Size size : sizes) {
            boolean sameShape = (long) size.getWidth() * frame.getHeight()
                    == (long) size.getHeight() * frame.getWidth();
            if (sameShape && area(size) <= MAX_PREVIEW_AREA && area(size) > area(best)) {
                best = size;
            }
        }
        return best;
    }

    private static long area(Size size) {
        return (long) size.getWidth() * size.getHeight();
    }

    /** How a frame must be turned to stand upright on a screen turned by {@code display} degrees. */
    int turn(int display) {
        return front ? (sensorTurn + display) % 360 : (sensorTurn - display + 360) % 360;
    }

    private void available(ImageReader from) {
        try {
            Image image = from.acquireLatestImage();
            if (image != null) {
                deliver(image);
            }
        } catch (RuntimeException e) {
            fail();
        }
    }

    /** Hands a frame over. */
    void deliver(Image image) {
        synchronized (this) {
            framesOut++;
        }
        listener.frame(this, new Frame(image));
    }

    /** Closes the camera and its thread; no frame comes after that. */
    void close() {
        if (handler == null) {
            return;
        }
        handler.post(() -> {
            closed = true;
            session = null;
            if (device != null) {
                device.close();
            }
            synchronized (this) {
                readerClosing = true;
                closeReader();
            }
            if (preview != null) {
                preview.release();
            }
            thread.quitSafely();
        });
    }

    /** Closes the reader, once no frame is being read: it owns the memory of its frames. */
    private void closeReader() {
        if (readerClosing && framesOut == 0 && reader != null) {
            reader.close();
            reader = null;
        }
    }

    private void start() {
        try {
            request = device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
            request.addTarget(preview);
            request.addTarget(reader.getSurface());
            device.createCaptureSession(Arrays.asList(preview, reader.getSurface()),
                    new Running(), handler);
        } catch (CameraAccessException | RuntimeException e) {
            fail();
        }
    }

    /** Follows the opening of the device. */
    private final class Opened extends CameraDevice.StateCallback {
        @Override
        public void onOpened(CameraDevice opened) {
            if (closed) {
                opened.close();
                return;
            }
            device = opened;
            start();
        }

        @Override
        public void onDisconnected(CameraDevice lost) {
            lost.close();
            fail();
        }

        @Override
        public void onError(CameraDevice broken, int error) {
            broken.close();
            fail();
        }
    }

    /** Follows the session that fills texture and reader. */
    private final class Running extends CameraCaptureSession.StateCallback {
        @Override
        public void onConfigured(CameraCaptureSession configured) {
            session = configured;
            repeat();
        }

        @Override
        public void onConfigureFailed(CameraCaptureSession session) {
            fail();
        }
    }
}
