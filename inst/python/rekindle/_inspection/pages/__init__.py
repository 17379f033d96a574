"""Pages for a browser: HTML files that need nothing beside them, with drawings made here."""
