"""Run configs, run folders, and runs made from them."""
