#!/usr/bin/env bash
# Check that the generated code in $1 is, byte for byte, what the protos give.
set -euo pipefail

gen=$1
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
buf generate --output "$fresh"
if ! diff --recursive --unified --exclude=__pycache__ "$gen" "$fresh/$gen"; then
    echo "$gen differs from what the protos give; run: make proto" >&2
    exit 1
fi
echo "generated code: up to date"
