"""Model folders: what each file of one holds, read and written without running code from it."""
