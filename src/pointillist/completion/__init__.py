"""Complete images: draw the unknown pixels from their distribution given the known ones. One file for each method."""
