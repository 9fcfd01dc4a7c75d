"""`python -m pointillist`."""

from pointillist.commands.cli import main

main()
