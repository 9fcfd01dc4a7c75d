"""Compile integer programs for the CPU: one virtual machine in numba runs every program and batch size."""
