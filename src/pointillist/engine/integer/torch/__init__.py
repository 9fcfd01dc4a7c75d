"""Run integer programs in torch, in tensors of integers on any device, with the bits of the numpy reference."""
