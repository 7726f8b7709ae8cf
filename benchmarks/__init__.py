"""What is measured, one file per benchmark: a module here with `measure(workshop)` is found by itself."""
