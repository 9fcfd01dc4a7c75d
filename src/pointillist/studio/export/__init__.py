"""Export a model: a page in one file, a program in C, a module for JavaScript. None of them needs Python."""
