"""Compile exact programs for the CPU: one integer virtual machine in numba runs every program, image and batch size."""
