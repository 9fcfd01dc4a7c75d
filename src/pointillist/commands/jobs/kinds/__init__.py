"""The kinds of jobs, one file each; a file is named as its command, and its `KIND` is the class."""
