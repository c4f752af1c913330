#!/usr/bin/env bash
# faster-whisper 1.2.1: what stands behind a short recording in the encoder's window is not silence.
#
# Expected: OpenAI's Whisper fills a recording up to 30 s with zero samples before the log-mel
# spectrogram is taken, so that its encoder sees digital silence there: the floor, eight powers of
# ten under the loudest band of the recording, (max - 8 + 4) / 4 after scaling. faster-whisper names
# its function as OpenAI's does, pad_or_trim, with the same window.
#
# What happens: it is the scaled spectrogram that is filled, with 0.0, which stands for 10^-4 in
# every band: a flat hiss, here 28 dB over the floor that real silence behind the same sound has.
#
# Why it matters: encoder states of a clip (MuseTalk and others use such states as speech features),
# and texts of short clips, are not those of the same clip with silence behind, and features from the
# two programs differ. Fill the waveform yourself, up to the window, where states are to be compared.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check faster-whisper==1.2.1 ctranslate2==4.8.5 numpy==1.26.4

cat > "$folder/check.py" <<'PYTHON'
import sys

import faster_whisper
import numpy as np
from faster_whisper.audio import pad_or_trim
from faster_whisper.feature_extractor import FeatureExtractor

RATE, SECONDS, WINDOW = 16_000, 5, 30
time = np.arange(RATE * SECONDS) / RATE
sound = np.float32(0.3 * np.sin(2 * np.pi * 300 * time) * (np.sin(2 * np.pi * 3 * time) > 0))

extract = FeatureExtractor()
filled = pad_or_trim(extract(sound))
silent = extract(np.pad(sound, (0, RATE * (WINDOW - SECONDS))), padding=0)

behind = slice(100 * (SECONDS + 1), 100 * WINDOW)
values = filled[:, behind], silent[:, behind]
decibels = 40 * float(np.median(values[0]) - np.median(values[1]))  # a unit is 10^4 of power
print("shapes", filled.shape, silent.shape)
print("behind the sound: %.2f; of silence: %.2f" % tuple(map(np.median, values)))
print("that is %.0f dB over silence" % decibels)
print("within the sound they differ by %.2g at most" % np.abs(filled - silent)[:, :490].max())

same = filled.shape == silent.shape == (80, 3000) and np.all(values[0] == 0) and decibels > 20
print("faster-whisper", faster_whisper.__version__, "as described" if same else "has changed")
sys.exit(0 if same else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

# Seen, Linux x86-64:
# shapes (80, 3000) (80, 3000)
# behind the sound: 0.00; of silence: -0.70
# that is 28 dB over silence
# within the sound they differ by 0 at most
# faster-whisper 1.2.1 as described
