"""Several trainings that answer one question."""
