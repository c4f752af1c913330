#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg's libavformat 62): the duration of a Matroska file that does not begin at zero
# is its end, not its length.
#
# Expected: container.duration is documented as the duration of the stream, and container.start_time
# as where its first frame stands. So of the same six seconds of video, stamped from one hour on, the
# start is 3600 s and the duration 6 s, whatever the container; of MP4, MPEG-TS and FLV it is.
#
# What happens: of Matroska (and WebM) the duration is 3606 s. The file's Duration element is written
# that way by FFmpeg's own muxer, and read back as it stands; the demuxer does not take the start off.
#
# Why it matters: recorders and stream dumps (OBS, RTSP and HLS to .mkv) keep the clock of the stream.
# A data pipeline that takes duration for the length counts hours that are not there, throws the file
# out as truncated, or asks for frames up to start + duration. The length is duration - start_time
# for Matroska and WebM, and duration elsewhere; the stamps of the packets say it for all.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 imageio-ffmpeg==0.6.0

cat > "$folder/check.py" <<'PYTHON'
import subprocess
import sys

import av
import imageio_ffmpeg

SECONDS, OFFSET = 6, 3600


def make(path):
    source = ("-f", "lavfi", "-i", f"testsrc=size=96x64:rate=25:duration={SECONDS}")
    codec = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-output_ts_offset", str(OFFSET))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *source, *codec]
    subprocess.run([*command, path], check=True)


def look_at(path):
    """Start and duration as stated, and the length by the packets' stamps; whole seconds."""
    with av.open(path) as container:
        start, duration = container.start_time / av.time_base, container.duration / av.time_base
        stream = container.streams.video[0]
        stamps = [float(p.pts * stream.time_base) for p in container.demux(stream) if p.size]
    return round(start), round(duration), round(max(stamps) - min(stamps) + 1 / 25)


found = {}
for suffix in ("mkv", "ts", "flv"):
    path = f"{sys.argv[1]}/late.{suffix}"
    make(path)
    found[suffix] = look_at(path)
    print(suffix, "start %d s, duration %d s, length by its packets %d s" % found[suffix])

same = found["mkv"] == (OFFSET, OFFSET + SECONDS, SECONDS) and all(
    found[suffix][1:] == (SECONDS, SECONDS) for suffix in ("ts", "flv")
)
print("PyAV", av.__version__, "as described" if same else "has changed")
sys.exit(0 if same else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"

# Seen, Linux x86-64:
# mkv start 3600 s, duration 3606 s, length by its packets 6 s
# ts start 3601 s, duration 6 s, length by its packets 6 s
# flv start 3600 s, duration 6 s, length by its packets 6 s
# PyAV 18.1.0 as described
