"""The run folder: what is in it, how it is begun, loaded, and protected from other settings."""
