"""User studies: pages on which people rate videos, and the table of what they answered."""
