"""Clips in a browser, on this machine: `ttk view`."""
