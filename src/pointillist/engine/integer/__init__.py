"""Programs in integers, whose results are the same bits in parallel or step by step, on any machine."""
