"""What is measured. Each module has TASKS: by name, what returns one part's figures."""
