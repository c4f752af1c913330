#!/usr/bin/env bash
# moviepy 2.2.1: a file whose sound begins later than its picture loses the pause: its sound comes
# early, by as much as it began late.
#
# Expected: VideoFileClip gives picture and sound on one clock, that of the file, as players show
# them: MP4 and Matroska state where each stream begins, and what is before the sound is silence. A
# clip that is read and written again is in sync.
#
# What happens: sound is asked of a second ffmpeg, as bare samples (-f s16le), where the time of the
# first one is lost; moviepy calls it time zero. The clip says that its sound begins at 0 and lasts
# as long as the picture. Nothing warns.
#
# Why it matters: where a microphone opens after the camera, or a video was cut without coding it
# anew, sound begins late, by tens of milliseconds or more. Clips of talking faces that moviepy cuts
# from such files have lips behind the sound, and whoever learns from them learns that. Sound that
# ffmpeg has filled up before, with the filter aresample=async=1:first_pts=0, stays where it is.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check moviepy==2.2.1 imageio==2.38.1 imageio-ffmpeg==0.6.0 av==18.1.0 numpy==1.26.4 pillow==11.3.0 proglog==0.1.12 decorator==5.3.1 python-dotenv==1.2.4

cat > "$folder/check.py" <<'PYTHON'
import subprocess
import sys
from importlib.metadata import version

import av
import imageio_ffmpeg
import moviepy
import numpy as np

SECONDS, AT = 5, 2.0  # length; where the picture is white and a tone is heard for half a second
TONE = "sine=frequency=1000:sample_rate=48000"


def run(*arguments):
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments], check=True)


def make(path, late):
    """The same moving picture and sound on one clock; of the sound, the first `late` s are cut."""
    flash = f"drawbox=enable='between(t,{AT},{AT + 0.49})':c=white:t=fill"
    heard = f"volume='between(t,{AT},{AT + 0.5})':eval=frame,atrim=start={late}"
    picture = ("-f", "lavfi", "-i", f"color=black:s=64x64:r=25:d={SECONDS}")
    sound = ("-f", "lavfi", "-i", f"{TONE}:duration={SECONDS},asetnsamples=240")
    chain = ("-filter_complex", f"[0:v]{flash}[v];[1:a]{heard}[a]", "-map", "[v]", "-map", "[a]")
    run(*picture, *sound, *chain, "-c:v", "libx264", "-c:a", "aac", path)


def look_at(path):
    """Where the first white frame and the first loud sample stand, s, by the file's own times."""
    with av.open(path) as file:
        begins = float((file.streams.audio[0].start_time or 0) * file.streams.audio[0].time_base)
        frames = file.decode(video=0)
        white = next(f.time for f in frames if f.to_ndarray(format="gray").mean() > 128)
    with av.open(path) as file:
        for frame in file.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.03)
            if len(loud):
                return begins, white, frame.time + loud[0] / frame.sample_rate


def write_again(path, target):
    with moviepy.VideoFileClip(path) as clip:
        print(f"  moviepy says: sound from {clip.audio.start} s, {clip.audio.duration:.2f} s long")
        clip.write_videofile(target, logger=None)


print("moviepy", version("moviepy"))
lags = {}
for name, late in (("prompt.mp4", 0), ("late.mp4", 1), ("late.mkv", 1), ("filled.mp4", None)):
    path = f"{sys.argv[1]}/{name}"
    if late is None:
        fill = ("-c:v", "copy", "-af", "aresample=async=1:first_pts=0", path)
        run("-i", f"{sys.argv[1]}/late.mp4", *fill)
    else:
        make(path, late)
    for which, file in (("made", path), ("written again", f"{path}-again.mp4")):
        if which != "made":
            write_again(path, file)
        begins, white, loud = look_at(file)
        lags[name, which] = loud - white
        print(f"{name}, {which}: sound from {begins:.2f} s, white {white:.2f} s, tone {loud:.2f} s")
if max(abs(lag) for (name, which), lag in lags.items() if which == "made") > 0.05:
    sys.exit("CHANGED: a comparison failed: the files that were made are not in sync")
if any(abs(lags[name, "written again"]) > 0.05 for name in ("prompt.mp4", "filled.mp4")):
    sys.exit("CHANGED: a comparison failed: the sound of a file without a pause is moved, too")
if any(abs(lags[name, "written again"] + 1) > 0.1 for name in ("late.mp4", "late.mkv")):
    sys.exit("CHANGED: the sound is not moved by the pause")
print("as described")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"

# Seen, Linux x86-64:
# moviepy 2.2.1
# prompt.mp4, made: sound from 0.00 s, white 2.00 s, tone 2.00 s
#   moviepy says: sound from 0 s, 5.00 s long
# prompt.mp4, written again: sound from 0.00 s, white 2.00 s, tone 2.00 s
# late.mp4, made: sound from 0.98 s, white 2.00 s, tone 2.00 s
#   moviepy says: sound from 0 s, 5.00 s long
# late.mp4, written again: sound from 0.00 s, white 2.00 s, tone 1.02 s
# late.mkv, made: sound from 1.00 s, white 2.00 s, tone 2.00 s
#   moviepy says: sound from 0 s, 5.02 s long
# late.mkv, written again: sound from 0.00 s, white 2.00 s, tone 1.02 s
# filled.mp4, made: sound from 0.00 s, white 2.00 s, tone 2.00 s
#   moviepy says: sound from 0 s, 5.01 s long
# filled.mp4, written again: sound from 0.00 s, white 2.00 s, tone 2.00 s
# as described
