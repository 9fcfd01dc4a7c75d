"""Sample images: the public call, the sequential loop, the choice of an engine."""
