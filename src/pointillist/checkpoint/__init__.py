"""Files of models: safetensors, config.json, compact weights. Nothing in them can run code."""
