package org.sqzkit.demo;
public final class MainActivity extends android.app.Activity {}
