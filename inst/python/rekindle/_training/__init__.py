"""One `fit()` under backup, of any trainer."""
