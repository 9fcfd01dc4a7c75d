"""The work of the commands, without the command line: their settings, sources, outputs, reports, and batch jobs."""
