"""The application: from a recording and a person to a video."""
