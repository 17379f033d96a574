"""`rekindle run`: starts a command again after a crash or a kill."""
