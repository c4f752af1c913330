"""The acoustic model behind `audio/deepspeech`: what it is trained on, how, how well it hears."""
