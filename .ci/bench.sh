#!/usr/bin/env bash
# Prints the project's numbers: native speed, the page's start in a browser, and the size of every file in dist/.
# `make bench` builds dist/ first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "bench: native"
cargo run --quiet --release --features cli --bin lab -- bench

echo "bench: the page in headless Chromium"
node tests/browser/bench.mjs

echo "bench: size of dist/, in bytes"
printf '%10s %10s  %s\n' raw gzip file
find dist -type f | sort | while read -r file; do
  printf '%10d %10d  %s\n' "$(wc -c <"$file")" "$(gzip -9 -c "$file" | wc -c)" "${file#dist/}"
done
