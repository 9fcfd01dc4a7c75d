"""Hardware of this machine: processor, threads and memory."""
