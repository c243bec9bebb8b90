"""The command-line programs: flags and one call each."""
