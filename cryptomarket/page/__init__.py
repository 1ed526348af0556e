"""The pages that people see, live and for operators: they use the public API alone, and load from here alone."""
