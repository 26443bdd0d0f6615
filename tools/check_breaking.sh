#!/usr/bin/env bash
# Check that the protos break no client of $1; default: the last release before this commit, else the commit before.
set -euo pipefail

base=${1:-}
if [[ -z $base ]]; then
    base=$(git describe --tags --match 'v*' --abbrev=0 HEAD~1 2>/dev/null) || base=HEAD~1
fi

# A first commit and a shallow clone have no commit before.
if ! git cat-file -e "$base^{commit}" 2>/dev/null; then
    echo "buf breaking: nothing to compare with ($base is not in this clone)"
    exit 0
fi
if ! git cat-file -e "$base:protos" 2>/dev/null; then
    echo "buf breaking: nothing to compare with ($base has no protos)"
    exit 0
fi

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
git archive "$base" protos | tar -x -C "$before"
cp buf.yaml "$before"
buf breaking --against "$before"
echo "buf breaking: nothing breaks since $base"
