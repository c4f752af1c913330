"""Whose motion it is: classifiers of head pose and of blinks (FACIAL, supplement)."""
