"""The numpy interpreter of recorded programs."""
