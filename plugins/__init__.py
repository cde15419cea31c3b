"""Built-in vendors, found by entry point like third-party ones; each imports engine.vendors and engine.errors only."""
