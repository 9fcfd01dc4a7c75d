"""The laws: what every network, likelihood and sampler must obey, checked for all that are registered.

A law is a function `check_...` that raises AssertionError where it is broken. A new network, likelihood or image kind
is drawn by `strategies.py` as soon as it is registered; only a network with a limited context adds a line to
`context.py`.
"""
