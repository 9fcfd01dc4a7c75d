"""`sample` and `inpaint`: settings, sources of images, and the files, sheets and maps that are written."""
