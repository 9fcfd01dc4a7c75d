"""Parts of `tools/measure_structure.py`: the parsed sources, their graph, and what is counted in them."""
