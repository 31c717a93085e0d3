"""A published study measured again: its suite, its figures, its tables."""
