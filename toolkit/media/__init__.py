"""Video and sound: the only modules that know ffmpeg and PyAV."""
