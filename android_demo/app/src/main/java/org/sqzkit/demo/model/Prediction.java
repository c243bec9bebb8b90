package org.sqzkit.demo.model;

/**
 * One class and how likely it is.
 *
 * @param label null where the model names no classes
 * @param probability 0..1
 */
public record Prediction(int index, String label, float probability) {}
