#!/usr/bin/env bash
# Make the virtual environment $1 with $2, or with the newest Python from 3.14 to 3.11 that works here.
set -euo pipefail

target=$1
shift
candidates=("${@:-}")
if [[ -z ${candidates[0]} ]]; then
    candidates=(python3.14 python3.13 python3.12 python3.11 python3)
fi

for python in "${candidates[@]}"; do
    # A name on the PATH may be a shim without an interpreter behind it, or lack ensurepip.
    if "$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
        echo "using $("$python" --version) for $target"
        exec "$python" -m venv --clear "$target"
    fi
done

echo "no usable Python among: ${candidates[*]}" >&2
echo "wanted: 3.11 to 3.14 with venv and ensurepip (Debian: apt install python3-venv); or name one: make PYTHON=..." >&2
exit 1
