"""A dataset whose truth is known: motion that is a function of audio, up to a little noise."""
