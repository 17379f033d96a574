"""Arrays and variables of every framework. rekindle imports only what you have imported."""
