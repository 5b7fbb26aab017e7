"""The programs that Regreen runs: which they are, where they lie, how to get them."""
