"""Files and systems measured side by side."""
