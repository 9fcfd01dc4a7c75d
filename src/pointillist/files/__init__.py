"""Files on disk: read what strangers wrote within limits, write each output whole and by one process."""
