"""`python -m pointillist`."""

from pointillist.cli import main

main()
