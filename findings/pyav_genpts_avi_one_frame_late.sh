#!/usr/bin/env bash
# PyAV 18.1.0: times of H.264 in AVI are a frame later than ffmpeg's own.
#
# Expected: PyAV binds FFmpeg's libraries, so a file's frames should carry the times that the ffmpeg
# program gives them: 0, 1, 2, ... frame durations for a plain constant-rate AVI without B-frames.
#
# What happens: av.open switches on AVFMT_FLAG_GENPTS, which the ffmpeg program leaves off. AVI has no
# presentation times; for H.264 the flag makes them up from the decoding order and a reordering delay
# that this stream does not have, and every frame's pts becomes one more than its dts. The first frame
# then stands at 1 and not at 0. MPEG-4 part 2 in the same container is right. Neither warns.
# options={"fflags": "-genpts"} gives no pts at all, and dts, in display order here, is the time that
# the ffmpeg program shows.
#
# Why it matters: sound in the same file is not moved, so picture and sound slip by a frame (33 to
# 40 ms, as much as lip-sync judges notice), and a pipeline that decodes through PyAV disagrees with
# one that decodes through ffmpeg.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 imageio-ffmpeg==0.6.0 numpy

cat > "$folder/check.py" <<'PYTHON'
import re
import subprocess
import sys

import av
import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def make(path, *codec):
    source = ("-f", "lavfi", "-i", "testsrc=size=96x64:rate=25:duration=0.4")
    subprocess.run([FFMPEG, "-v", "error", "-y", *source, *codec, path], check=True)


def by_ffmpeg(path):
    command = [FFMPEG, "-hide_banner", "-copyts", "-i", path, "-vf", "showinfo", "-f", "null", "-"]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return [int(pts) for pts in re.findall(r"showinfo.* n: *\d+ pts: *(-?\d+)", log)]


def by_pyav(path, **options):
    with av.open(path, options=options) as container:
        return [(frame.pts, frame.dts) for frame in container.decode(video=0)]


found = {}
for name, codec in {
    "H.264": ("-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p"),
    "MPEG-4": ("-c:v", "mpeg4"),
}.items():
    path = f"{sys.argv[1]}/{name}.avi"
    make(path, *codec)
    found[name] = {
        "ffmpeg": by_ffmpeg(path)[:3],
        "PyAV pts": [pts for pts, _ in by_pyav(path)][:3],
        "PyAV without genpts: pts, dts": by_pyav(path, fflags="-genpts")[:3],
    }
    print(name, found[name])

h264, mpeg4 = found["H.264"], found["MPEG-4"]
same = (
    h264["ffmpeg"] == [0, 1, 2]
    and h264["PyAV pts"] == [1, 2, 3]
    and h264["PyAV without genpts: pts, dts"] == [(None, 0), (None, 1), (None, 2)]
    and mpeg4["ffmpeg"] == mpeg4["PyAV pts"] == [0, 1, 2]
)
print("PyAV", av.__version__, "as described" if same else "has changed")
sys.exit(0 if same else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"

# Seen, Linux x86-64:
# H.264 {'ffmpeg': [0, 1, 2], 'PyAV pts': [1, 2, 3],
#        'PyAV without genpts: pts, dts': [(None, 0), (None, 1), (None, 2)]}
# MPEG-4 {'ffmpeg': [0, 1, 2], 'PyAV pts': [0, 1, 2],
#         'PyAV without genpts: pts, dts': [(0, 0), (1, 1), (2, 2)]}
# PyAV 18.1.0 as described
