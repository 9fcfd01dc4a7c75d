"""Record a network into a program and optimize it."""
