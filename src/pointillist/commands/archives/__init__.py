"""`compress` and `decompress`: archives of images without loss."""
