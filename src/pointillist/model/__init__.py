"""The pixel model: its configuration, conditions of a data set, loading and saving."""
