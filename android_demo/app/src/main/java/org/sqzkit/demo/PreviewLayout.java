package org.sqzkit.demo;

import android.graphics.Matrix;
import android.graphics.RectF;
import android.util.Size;
import org.sqzkit.demo.image.Geometry;

/** Places the camera's picture in the view: upright, uncropped, undistorted, at the top. */
final class PreviewLayout {
    private final int viewWidth;
    private final int viewHeight;
    private final boolean lying;
    private final float naturalWidth;
    private final float naturalHeight;
    private final int display;
    private final float scale;

    /**
     * Lays out a picture.
     *
     * @param frame size of the buffer, in the sensor's orientation
     * @param sensorTurn degrees from the sensor's orientation to the device's natural one
     * @param display degrees by which the screen is turned from its natural orientation
     */
    PreviewLayout(int viewWidth, int viewHeight, Size frame, int sensorTurn, int display) {
        this.viewWidth = Math.max(viewWidth, 1);
        this.viewHeight = Math.max(viewHeight, 1);
        this.display = display;
        boolean sensorLies = sensorTurn % 180 != 0;
        naturalWidth = sensorLies ? frame.getHeight() : frame.getWidth();
        naturalHeight = sensorLies ? frame.getWidth() : frame.getHeight();
        lying = display % 180 != 0;
        scale = Math.min(this.viewWidth / shownWidth(), this.viewHeight / shownHeight());
    }

    private float shownWidth() {
        return lying ? naturalHeight : naturalWidth;
    }

    private float shownHeight() {
        return lying ? naturalWidth : naturalHeight;
    }

    /** The picture in the view. */
    RectF picture() {
        float width = shownWidth() * scale;
        float left = (viewWidth - width) / 2;
        return new RectF(left, 0, left + width, shownHeight() * scale);
    }

    /**
     * Returns the transformation for a TextureView, which by itself stretches the picture, upright
     * for the device's natural position, over the whole view.
     */
    Matrix matrix() {
        float centerX = viewWidth / 2f;
        float centerY = viewHeight / 2f;
        RectF picture = picture();
        Matrix matrix = new Matrix();
        matrix.setScale(naturalWidth * scale / viewWidth, naturalHeight * scale / viewHeight,
                centerX, centerY);
        matrix.postRotate(-display, centerX, centerY);
        matrix.postTranslate(picture.centerX() - centerX, picture.centerY() - centerY);
        return matrix;
    }

    /** The part of the view that a model with this geometry sees. */
    RectF seen(Geometry geometry) {
        int width = Math.round(shownWidth());
        int height = Math.round(shownHeight());
        int[] target = geometry.target(width, height);
        RectF picture = picture();
        float halfWidth = picture.width() * geometry.cropWidth() / target[0] / 2;
        float halfHeight = picture.height() * geometry.cropHeight() / target[1] / 2;
        return new RectF(picture.centerX() - halfWidth, picture.centerY() - halfHeight,
                picture.centerX() + halfWidth, picture.centerY() + halfHeight);
    }
}
