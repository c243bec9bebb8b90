package org.sqzkit.demo;

import android.graphics.Bitmap;
import java.io.Closeable;

/** The frames of one open video; the door to Android's decoder. For one thread. */
interface VideoReader extends Closeable {
    /** Returns the length of the video in milliseconds, at least 1. */
    long millis();

    /** Returns the upright frame that is shown at a time, or null if it cannot be decoded. */
    Bitmap frame(long millis);

    @Override
    void close();
}
