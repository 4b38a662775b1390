"""Measuring finished models on test sets, through the runtime that users run."""
