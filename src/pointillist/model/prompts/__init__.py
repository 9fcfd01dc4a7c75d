"""Prompts of words that a model has learned: what other words are sampled as, and words by kind."""
