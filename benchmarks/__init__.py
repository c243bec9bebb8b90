"""sqzkit compared with other programs, measured on one machine in one run: see RESULTS.md."""
