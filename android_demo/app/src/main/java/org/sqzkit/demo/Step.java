package org.sqzkit.demo;

/** What a background task is doing, for the user to see. */
enum Step {
    IDLE,
    COPYING,
    EXPANDING,
    OPENING,
    CLASSIFYING;

    /** Whether the user can cancel something. */
    boolean running() {
        return this != IDLE;
    }
}
