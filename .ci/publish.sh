#!/usr/bin/env bash
# What the page needs beside itself. Trunk runs this when it has built the page (Trunk.toml), before dist/ is replaced:
#
#   always       embed.js (.ci/embed.sh makes it small) and the documentation, as it is in www/
#   --release    the posters of embeds, the JavaScript API, and sw.js, which keeps it all for the time without a network
#
# `trunk build --release` alone makes all of it; .ci/setup.sh brings the tools.
set -euo pipefail

TARGET=wasm32-unknown-unknown
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=${XDG_CACHE_HOME:-$HOME/.cache}/delivery-lab
export PATH="$tools/bin:$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

say() { printf 'publish: %s\n' "$*"; }
fail() {
  printf 'publish: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

cd "$project"
out=${TRUNK_STAGING_DIR:?trunk sets it: run trunk build}
built=${CARGO_TARGET_DIR:-target}

copy_files() {
  .ci/embed.sh <www/embed.js >"$out/embed.js"
  if [ -d www/docs ]; then cp -R www/docs "$out/docs"; fi
}

# What an embed shows before anybody starts it.
draw_posters() {
  say "posters"
  cargo run --quiet --features cli --bin lab -- posters --out "$out/posters"
}

# Built like the page: see index.html for what the flags are for.
build_api() {
  say "the JavaScript API"
  have wasm-bindgen || fail "wasm-bindgen is missing: .ci/setup.sh serve brings it"
  cargo rustc --quiet --profile wasm --target $TARGET --lib --crate-type cdylib --features js
  local from=$built/$TARGET/wasm/delivery_lab.wasm kept=$built/publish/api
  if [ ! "$kept/delivery-lab.js" -nt "$from" ]; then
    rm -rf "$kept"
    wasm-bindgen --target web --out-dir "$kept" --out-name delivery-lab "$from"
    if have wasm-opt; then
      local wasm=$kept/delivery-lab_bg.wasm
      wasm-opt -O2 --reorder-functions-by-name -o "$wasm.small" "$wasm"
      mv "$wasm.small" "$wasm"
    fi
    touch "$kept/delivery-lab.js"
  fi
  cp "$kept/delivery-lab.js" "$kept/delivery-lab.d.ts" "$kept/delivery-lab_bg.wasm" "$out/"
  # So that Node, and whoever bundles, take the folder for a package.
  local version
  version=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
  cat >"$out/package.json" <<JSON
{
  "name": "delivery-lab",
  "version": "$version",
  "license": "MIT OR Apache-2.0",
  "type": "module",
  "main": "delivery-lab.js",
  "types": "delivery-lab.d.ts"
}
JSON
}

checksum() { if have sha256sum; then sha256sum; else shasum -a 256; fi | cut -c1-16; }
as_list() { sed 's/.*/  "&",/'; }

# The page, embed.js, posters and documentation are kept at the first visit, the JavaScript API when it is used.
write_worker() {
  local api='delivery-lab.js delivery-lab_bg.wasm' files version
  files=$(cd "$out" && find . -type f ! -name sw.js ! -name '*.d.ts' ! -name package.json | sed 's|^\./||' | LC_ALL=C sort)
  files=$(printf '%s\n' "$files" | grep -vxF "$(printf '%s\n' $api)")
  version=$(cd "$out" && printf '%s\n' "$files" $api | while read -r file; do
    printf '%s\n' "$file"
    cat "$file"
  done | checksum)
  {
    printf 'const VERSION = "%s";\nconst FILES = [\n' "$version"
    as_list <<<"$files"
    printf '];\nconst LATER = [\n'
    printf '%s\n' $api | as_list
    printf '];\n\n'
    cat www/sw.js
  } >"$out/sw.js"
}

copy_files
if [ "${TRUNK_PROFILE:-debug}" = release ]; then
  draw_posters
  build_api
  # Before the list is made: the page's own text is in it.
  sed 's|<script type="module" src="\./start\.js"|& data-offline="sw.js"|' "$out/index.html" >"$out/index.html.new"
  mv "$out/index.html.new" "$out/index.html"
  grep -q 'data-offline' "$out/index.html" || fail "index.html does not start with start.js: see Trunk.toml"
  write_worker
fi
