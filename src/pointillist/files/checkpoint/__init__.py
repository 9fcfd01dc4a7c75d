"""Model folders: safe files, quantization of weights, and construction without memory."""
