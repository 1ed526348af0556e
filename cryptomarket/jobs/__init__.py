"""What is done from time to time: the jobs, who runs them, and what became of each run."""
