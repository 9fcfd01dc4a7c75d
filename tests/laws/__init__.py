"""Property tests: what every network, likelihood and sampler must satisfy, checked for all that are registered.

A property is a function `check_...` that raises AssertionError where it does not hold. `strategies.py` draws a new
network, likelihood or image kind as soon as it is registered. Only a network with a limited context adds a line to
`context.py`. Mutation tests (`mutants_*.py`) prove that each property test fails on a known error.
"""
