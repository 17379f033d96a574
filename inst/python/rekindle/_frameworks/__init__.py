"""Arrays and variables of every framework. No framework is imported that the user has not."""
