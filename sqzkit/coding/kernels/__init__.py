"""The coders' inner loops, compiled by numba. Import a kernel only where work starts."""
