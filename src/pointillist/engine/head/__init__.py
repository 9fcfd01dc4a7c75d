"""The head of an integer program: from integer parameters to the frequencies of levels, and draws from them."""
