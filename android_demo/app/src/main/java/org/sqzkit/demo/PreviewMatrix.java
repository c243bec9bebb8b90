package org.sqzkit.demo;

import android.graphics.Matrix;

/** Fits the camera's picture into the view: upright, not distorted, filling it. */
final class PreviewMatrix {
    private PreviewMatrix() {}

    /**
     * Returns the transformation for a TextureView, which by itself stretches the picture, upright
     * for the device's natural position, over the whole view.
     *
     * @param viewWidth, viewHeight of the view, pixels
     * @param frameWidth, frameHeight of the buffer, as the sensor lies
     * @param sensorTurn degrees from the sensor's position to the device's natural one
     * @param display degrees the screen is turned from its natural position
     */
    static Matrix of(int viewWidth, int viewHeight, int frameWidth, int frameHeight,
            int sensorTurn, int display) {
        boolean lying = sensorTurn % 180 != 0;
        float naturalWidth = lying ? frameHeight : frameWidth;
        float naturalHeight = lying ? frameWidth : frameHeight;
        boolean turned = display % 180 != 0;
        float shownWidth = turned ? naturalHeight : naturalWidth;
        float shownHeight = turned ? naturalWidth : naturalHeight;
        float fill = Math.max(viewWidth / shownWidth, viewHeight / shownHeight);
        float centerX = viewWidth / 2f;
        float centerY = viewHeight / 2f;
        Matrix matrix = new Matrix();
        matrix.setScale(naturalWidth * fill / viewWidth, naturalHeight * fill / viewHeight,
                centerX, centerY);
        matrix.postRotate(-display, centerX, centerY);
        return matrix;
    }
}
