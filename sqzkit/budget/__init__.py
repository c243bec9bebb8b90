"""From photographs to the best verified archive within a budget of bytes, time and memory."""
