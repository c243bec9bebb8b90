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
import java.util.Arrays;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** The back camera (or the only one), shown on a texture and giving frames to be classified. */
final class LiveCamera {
    /** About what a 227 or 256 pixel model can use of a frame. */
    private static final int WANTED_AREA = 640 * 480;

    private static final int FRAMES_HELD = 3;

    private final Context context;
    private final Executor frames;
    private final Listener listener;
    private final HandlerThread thread = new HandlerThread("camera");
    private Handler handler;
    private CameraDevice device;
    private ImageReader reader;
    private Surface preview;
    private boolean closed;

    /** Which way the sensor is built in, degrees clockwise; known once opened. */
    private int sensorTurn;

    private boolean front;

    /** Frames must be read on {@code frames}: they become invalid only after what it has to do. */
    LiveCamera(Context context, Executor frames, Listener listener) {
        this.context = context;
        this.frames = frames;
        this.listener = listener;
    }

    /** What the camera tells, on the camera's own thread. */
    interface Listener {
        /** A frame; the receiver must close it. */
        void frame(Image image);

        /** The camera is not to be had. */
        void failed(Trouble trouble);
    }

    /** Opens the camera; the permission must be held. Returns the frame size, or null after a failure. */
    @SuppressLint("MissingPermission")
    Size open(SurfaceTexture texture) {
        thread.start();
        handler = new Handler(thread.getLooper());
        CameraManager cameras = (CameraManager) context.getSystemService(Context.CAMERA_SERVICE);
        try {
            String id = choose(cameras);
            if (id == null) {
                listener.failed(new Trouble(R.string.trouble_no_camera));
                return null;
            }
            CameraCharacteristics facts = cameras.getCameraCharacteristics(id);
            Size size = frameSize(facts);
            Integer turn = facts.get(CameraCharacteristics.SENSOR_ORIENTATION);
            sensorTurn = turn == null ? 0 : turn;
            texture.setDefaultBufferSize(size.getWidth(), size.getHeight());
            preview = new Surface(texture);
            reader = ImageReader.newInstance(
                    size.getWidth(), size.getHeight(), ImageFormat.YUV_420_888, FRAMES_HELD);
            reader.setOnImageAvailableListener(this::available, handler);
            cameras.openCamera(id, new Opened(), handler);
            return size;
        } catch (CameraAccessException | SecurityException | IllegalArgumentException e) {
            listener.failed(new Trouble(R.string.trouble_camera_failed));
            return null;
        }
    }

    private String choose(CameraManager cameras) throws CameraAccessException {
        String[] ids = cameras.getCameraIdList();
        for (String id : ids) {
            if (facing(cameras, id) == CameraCharacteristics.LENS_FACING_BACK) {
                return id;
            }
        }
        front = ids.length > 0 && facing(cameras, ids[0]) == CameraCharacteristics.LENS_FACING_FRONT;
        return ids.length == 0 ? null : ids[0];
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
        return Math.abs((long) size.getWidth() * size.getHeight() - WANTED_AREA);
    }

    /** How a frame must be turned to stand upright on a screen turned by {@code display} degrees. */
    int turn(int display) {
        return front ? (sensorTurn + display) % 360 : (sensorTurn - display + 360) % 360;
    }

    private void available(ImageReader from) {
        Image image = from.acquireLatestImage();
        if (image != null) {
            listener.frame(image);
        }
    }

    /** Closes the camera and its thread; no frame comes after that. */
    void close() {
        if (handler == null) {
            return;
        }
        handler.post(() -> {
            closed = true;
            if (device != null) {
                device.close();
            }
            if (reader != null) {
                closeReader();
            }
            if (preview != null) {
                preview.release();
            }
            thread.quitSafely();
        });
    }

    private void closeReader() {
        try {
            frames.execute(reader::close);
        } catch (RejectedExecutionException e) {
            reader.close(); // the queue has ended, so nothing reads frames any more
        }
    }

    private void start() {
        try {
            CaptureRequest.Builder request = device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
            request.addTarget(preview);
            request.addTarget(reader.getSurface());
            device.createCaptureSession(Arrays.asList(preview, reader.getSurface()),
                    new Running(request), handler);
        } catch (CameraAccessException | IllegalStateException e) {
            listener.failed(new Trouble(R.string.trouble_camera_failed));
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
            listener.failed(new Trouble(R.string.trouble_camera_failed));
        }

        @Override
        public void onError(CameraDevice broken, int error) {
            broken.close();
            listener.failed(new Trouble(R.string.trouble_camera_failed));
        }
    }

    /** Follows the session that fills texture and reader. */
    private final class Running extends CameraCaptureSession.StateCallback {
        private final CaptureRequest.Builder request;

        Running(CaptureRequest.Builder request) {
            this.request = request;
        }

        @Override
        public void onConfigured(CameraCaptureSession session) {
            try {
                session.setRepeatingRequest(request.build(), null, handler);
            } catch (CameraAccessException | IllegalStateException e) {
                listener.failed(new Trouble(R.string.trouble_camera_failed));
            }
        }

        @Override
        public void onConfigureFailed(CameraCaptureSession session) {
            listener.failed(new Trouble(R.string.trouble_camera_failed));
        }
    }
}
