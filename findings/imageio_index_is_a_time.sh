#!/usr/bin/env bash
# imageio 2.38.1 with PyAV 18.1.0: imread(index=n) of MPEG-TS, of an MP4 that begins late or of one
# with a variable frame rate is often not the n-th frame.
#
# Expected: the documentation of the plugin says that index=5 reads the fifth frame (from 0), and
# that by default the container decides whether the frame rate is taken to be constant. So
# imread(index=n) is the n-th frame that imiter shows, as it is for a plain MP4.
#
# What happens: the default asks for a flag of FFmpeg's format (0x400, "variable fps"), which says
# nothing of the file at hand, and which FFmpeg's readers of MP4 and MPEG-TS do not have. Then n is
# taken for the time n / rate, counted from zero: the plugin seeks there, makes an index of the key
# frame's time by the same rule, and decodes as many frames as are left. Where the file begins late
# (one that FFmpeg wrote as MPEG-TS by 1.4 s) or its rate varies, that index is too high, and too
# few frames or none follow: one key frame stands for dozens of frames, and a higher index may give
# an earlier frame. Nothing warns. With constant_framerate=False all frames are as expected.
#
# Why it matters: recordings of phones and of video calls have variable rates, dumps of streams are
# MPEG-TS. Frames that are drawn at random by index, for a training of faces or beside landmarks
# that were counted while decoding, are other frames.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio==2.38.1 av==18.1.0 imageio-ffmpeg==0.6.0 numpy==1.26.4 pillow==11.3.0

cat > "$folder/check.py" <<'PYTHON'
import subprocess
import sys

import imageio
import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np

RATE, FRAMES, KEY = 30, 60, 10  # frames a second, frames, frames from key frame to key frame
SHOWN = 55  # frames that are looked at; ffmpeg's edit list ends before the last of a varying rate
FILES = {  # times in frames of 1/30 s
    "plain.mp4": "N",
    "late.mp4": "N+15",
    "varying.mp4": "if(lt(N,25),N,2*N-25)",
    "plain.ts": "N",
}


def make(path, times):
    """A picture that gets lighter by three levels a frame."""
    source = f"color=black:s=64x64:r={RATE}:d={FRAMES / RATE},format=gray,geq=lum='16+3*N'"
    codec = ("-c:v", "libx264", "-crf", "8", "-bf", "0", "-g", str(KEY), "-pix_fmt", "yuv420p")
    clock = ("-vf", f"setpts='({times})/{RATE}/TB'", "-fps_mode", "passthrough")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi", "-i", source]
    subprocess.run([*command, *clock, *codec, path], check=True)


def find(levels, picture):
    return int(np.argmin(np.abs(levels - picture.mean())))


found = {}
for name, times in FILES.items():
    path = f"{sys.argv[1]}/{name}"
    make(path, times)
    levels = np.array([picture.mean() for picture in iio.imiter(path, plugin="pyav")])
    if len(levels) < SHOWN or np.diff(levels).min() < 1:
        sys.exit(f"CHANGED: a comparison failed: {name} has {len(levels)} frames")
    for constant in (None, False):
        read = [
            find(levels, iio.imread(path, index=n, plugin="pyav", constant_framerate=constant))
            for n in range(SHOWN)
        ]
        found[name, constant] = read
        wrong = sum(a != b for a, b in enumerate(read))
        print(f"{name}, constant_framerate={constant}: {wrong} of {SHOWN} are another frame")
    print("  index 20 to 49:", *found[name, None][20:50])
print("imageio", imageio.__version__)
right = list(range(SHOWN))
if found["plain.mp4", None] != right or any(found[name, False] != right for name in FILES):
    sys.exit("CHANGED: a comparison failed")
if any(found[name, None] == right for name in FILES if name != "plain.mp4"):
    sys.exit("CHANGED: all frames of a file are as expected")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"

# Seen, Linux x86-64:
# plain.mp4, constant_framerate=None: 0 of 55 are another frame
# plain.mp4, constant_framerate=False: 0 of 55 are another frame
#   index 20 to 49: 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49
# late.mp4, constant_framerate=None: 53 of 55 are another frame
# late.mp4, constant_framerate=False: 0 of 55 are another frame
#   index 20 to 49: 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34
# varying.mp4, constant_framerate=None: 20 of 55 are another frame
# varying.mp4, constant_framerate=False: 0 of 55 are another frame
#   index 20 to 49: 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44
# plain.ts, constant_framerate=None: 53 of 55 are another frame
# plain.ts, constant_framerate=False: 0 of 55 are another frame
#   index 20 to 49: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 10 10 10 10 10 10 10
# imageio 2.38.1
# as described
