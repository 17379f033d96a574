"""What a fit() sees while it trains, and whether a resumed fit() sees the same."""
