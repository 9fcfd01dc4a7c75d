"""The machine at hand: its processor, threads and memory."""
