#!/usr/bin/env bash
# Makes this machine able to serve and test Delivery Lab. Safe to run again: what is there is skipped.
#
#   .ci/setup.sh serve    Rust with the wasm32 target, trunk, wasm-bindgen, and wasm-opt where there is npm
#   .ci/setup.sh test     the same, and rustfmt, clippy, node, a browser with its driver, the browser tests' packages
#
# Rust comes from rustup. Where rustup cannot download (a closed network with only package mirrors), a Debian machine
# takes it from Debian's packages instead. DELIVERY_LAB_TOOLCHAIN=rustup or =debian insists on one of the two.
# Tools are kept outside the clone, in ${XDG_CACHE_HOME:-~/.cache}/delivery-lab, and linked into ~/.cargo/bin where
# that name is free, so that plain `trunk serve` finds them.
set -euo pipefail

TRUNK_VERSION=0.21.14
WASM_BINDGEN_VERSION=0.2.126 # the wasm-bindgen crate in Cargo.toml is pinned to the same
BINARYEN_VERSION=132.0.0
TARGET=wasm32-unknown-unknown

goal=${1:-test}
wanted=${DELIVERY_LAB_TOOLCHAIN:-any}
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=${XDG_CACHE_HOME:-$HOME/.cache}/delivery-lab
cargo_bin=${CARGO_HOME:-$HOME/.cargo}/bin
PATH_BEFORE=$PATH
export PATH="$tools/bin:$PATH:$cargo_bin"

say() { printf 'set-up: %s\n' "$*"; }
fail() {
  printf 'set-up: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
# The first line of a log that says what went wrong, short enough to read.
first_error() { { grep -m1 -iE '^(E:|error)' "$1" || tail -n 1 "$1"; } | cut -c1-200; }
is_debian() { have apt-get && have dpkg; }

case $goal in serve | test) ;; *) fail "unknown goal '$goal': say serve or test" ;; esac
case $wanted in any | rustup | debian) ;; *) fail "DELIVERY_LAB_TOOLCHAIN is '$wanted': say rustup or debian" ;; esac

cd "$project"
mkdir -p "$tools/bin" "$cargo_bin"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if have flock; then # two set-ups at once would build the same tools twice
  exec 9>"$tools/lock"
  flock -n 9 || { say "another set-up is running; waiting for it"; flock 9; }
fi

# --- Debian's packages -----------------------------------------------------------------------------------------------

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo && sudo -n true 2>/dev/null; then
    sudo "$@"
  else
    fail "missing, and installing needs root: run 'sudo $*', then this again"
  fi
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

apt_install() {
  local missing=() package
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing Debian packages: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >"$scratch/apt.log" 2>&1 || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >"$scratch/apt.log" 2>&1 </dev/null || fail "could not install ${missing[*]}: $(first_error "$scratch/apt.log")"
}

# --- Rust ------------------------------------------------------------------------------------------------------------

oldest_rust=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)

is_new_enough() {
  local version
  version=$(rustc -V 2>/dev/null | cut -d' ' -f2)
  [ -n "$version" ] && [ "$(printf '%s\n' "${oldest_rust:-0}" "$version" | sort -V | head -n 1)" = "${oldest_rust:-0}" ]
}

# Can the compiler of this directory make wasm: std for the target, and a linker?
makes_wasm() {
  have rustc && have cargo && is_new_enough &&
    printf 'pub fn probe() -> Vec<u8> { vec![1] }' |
    rustc --crate-type=cdylib --target $TARGET -o "$scratch/probe.wasm" - >/dev/null 2>&1
}

is_debian_rust() { have rustc && [ "$(rustc --print sysroot 2>/dev/null)" = /usr ]; }

rust_ready() {
  case $wanted in
    any) makes_wasm ;;
    debian) is_debian_rust && makes_wasm ;;
    rustup) ! is_debian_rust && makes_wasm ;;
  esac
}

rust_from_rustup() {
  have rustup || return 1
  if have rustc && rustc -V >/dev/null 2>&1 && ! is_new_enough; then
    say "$(rustc -V) is too old, $oldest_rust is needed: 'rustup update' may bring it"
    return 1
  fi
  say "asking rustup for the target $TARGET"
  RUSTUP_MAX_RETRIES=0 RUSTUP_DOWNLOAD_TIMEOUT=20 rustup target add $TARGET >"$scratch/rustup.log" 2>&1 </dev/null &&
    makes_wasm && return 0
  say "rustup could not: $(first_error "$scratch/rustup.log")"
  return 1
}

rust_from_debian() {
  is_debian || fail "Rust's target $TARGET is missing, for rustc ${oldest_rust:-any} or later: 'rustup target add $TARGET' must work here (rustup: https://rustup.rs)"
  apt_install rustc-web cargo-web rust-web-src lld-22 gcc libc6-dev
  if have rustup; then
    rustup toolchain list | grep -q '^debian\b' || rustup toolchain link debian /usr
    rustup override set debian --path "$project" >/dev/null 2>&1
  fi
  is_debian_rust || fail "Debian's Rust is installed, but rustc is $(command -v rustc): RUSTUP_TOOLCHAIN or PATH chooses another"
  is_new_enough || fail "$(rustc -V) is what Debian has, and $oldest_rust is needed: 'rustup target add $TARGET' must work here"
  # Debian's compiler asks for rustup's name of the linker.
  local host
  host=$(rustc -vV | sed -n 's/^host: //p')
  if [ ! -e "/usr/lib/rustlib/$host/bin/rust-lld" ]; then
    as_root mkdir -p "/usr/lib/rustlib/$host/bin"
    as_root ln -sf /usr/bin/wasm-ld-22 "/usr/lib/rustlib/$host/bin/rust-lld"
  fi
  makes_wasm && return 0
  say "building Rust's standard library for $TARGET (about 2 minutes)"
  local crate=$scratch/std sysroot=/usr/lib/rustlib/$TARGET/lib
  mkdir -p "$crate/src"
  printf '[package]\nname = "stdbuild"\nversion = "0.0.0"\nedition = "2021"\n[lib]\ncrate-type = ["cdylib"]\n[workspace]\n' >"$crate/Cargo.toml"
  printf '' >"$crate/src/lib.rs"
  # Bitcode for link-time optimisation; `test` for `cargo test`.
  (cd "$crate" && PATH=/usr/bin:$PATH RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR="$crate/target" \
    cargo build --release --target $TARGET -Z build-std=std,panic_abort,test >"$scratch/std.log" 2>&1 </dev/null) ||
    fail "building std for $TARGET failed: $(first_error "$scratch/std.log")"
  as_root rm -rf "$sysroot"
  as_root mkdir -p "$sysroot"
  find "$crate/target/$TARGET/release/deps" -name '*.rlib' ! -name '*stdbuild*' -print0 | as_root xargs -0 cp -t "$sysroot"
  makes_wasm || fail "Debian's Rust still cannot make wasm: $(printf 'pub fn f() {}' | rustc --crate-type=cdylib --target $TARGET -o "$scratch/probe.wasm" - 2>&1 | head -n 1)"
}

set_up_rust() {
  if rust_ready; then
    say "$(rustc -V), with $TARGET: there"
    return
  fi
  have cargo || have rustup || is_debian || fail "Rust is missing: install it with rustup (https://rustup.rs)"
  case $wanted in
    rustup) rust_from_rustup || fail "rustup cannot give $TARGET, and DELIVERY_LAB_TOOLCHAIN insists on it" ;;
    debian) rust_from_debian ;;
    any) rust_from_rustup || rust_from_debian ;;
  esac
  say "$(rustc -V), with $TARGET: done"
}

set_up_lints() {
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
  if is_debian_rust; then
    apt_install rustfmt-web rust-web-clippy
  else
    RUSTUP_MAX_RETRIES=0 rustup component add rustfmt clippy >/dev/null 2>&1 </dev/null ||
      fail "rustfmt or clippy is missing: 'rustup component add rustfmt clippy' must work here"
  fi
  { cargo fmt --version && cargo clippy --version; } >/dev/null || fail "rustfmt or clippy is missing"
}

# --- Tools -----------------------------------------------------------------------------------------------------------

# Links $tools/bin/NAME where plain commands find it, unless the user has a tool of that name there.
link_for_the_user() {
  local name link
  for name in "$@"; do
    link=$cargo_bin/$name
    if [ -L "$link" ] || [ ! -e "$link" ]; then ln -sfn "$tools/bin/$name" "$link"; fi
  done
}

version_of() { "$1" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1; }

# cargo_tool CRATE VERSION MINUTES NAME...
cargo_tool() {
  local crate=$1 version=$2 minutes=$3
  shift 3
  if [ "$(version_of "$1")" = "$version" ]; then
    say "$crate $version: there"
    return
  fi
  have cc || { is_debian && apt_install gcc libc6-dev; } || fail "a C compiler is missing: building $crate needs 'cc'"
  say "building $crate $version (up to $minutes minutes on two cores)"
  # Little optimisation: these tools wait for files and compilers, and building them is what takes long.
  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR="$scratch/$crate" \
    cargo install --locked --force --root "$tools" --version "$version" "$crate" >"$scratch/$crate.log" 2>&1 </dev/null ||
    fail "building $crate $version failed: $(first_error "$scratch/$crate.log")"
  rm -rf "${scratch:?}/$crate"
  link_for_the_user "$@"
  say "$crate $version: done"
}

set_up_node() {
  if ! have node || ! have npm; then
    is_debian && apt_install nodejs npm
  fi
  have node || fail "node is missing: install Node.js 20 or later"
  have npm || fail "npm is missing: it comes with Node.js"
}

set_up_wasm_opt() {
  if [ -x "$tools/bin/wasm-opt" ] && [ "$(cat "$tools/binaryen/VERSION" 2>/dev/null)" = $BINARYEN_VERSION ]; then
    say "wasm-opt (binaryen $BINARYEN_VERSION): there"
    return
  fi
  say "installing wasm-opt (binaryen $BINARYEN_VERSION)"
  mkdir -p "$tools/binaryen"
  npm install --prefix "$tools/binaryen" --no-audit --no-fund --no-save --silent "binaryen@$BINARYEN_VERSION" </dev/null ||
    fail "npm could not install binaryen@$BINARYEN_VERSION (wasm-opt)"
  ln -sfn ../binaryen/node_modules/.bin/wasm-opt "$tools/bin/wasm-opt"
  echo $BINARYEN_VERSION >"$tools/binaryen/VERSION"
  link_for_the_user wasm-opt
}

set_up_browser() {
  if ! have "${CHROMEDRIVER:-chromedriver}"; then
    is_debian && apt_install chromium chromium-driver
  fi
  have "${CHROMEDRIVER:-chromedriver}" || fail "chromedriver is missing: install Chrome or Chromium and the chromedriver of the same version, or name it in CHROMEDRIVER"
  say "$("${CHROMEDRIVER:-chromedriver}" --version | cut -d' ' -f1,2): there"
  # Without Korean letters the Korean page is drawn as boxes.
  if have fc-list && [ -z "$(fc-list :lang=ko)" ] && is_debian; then apt_install fonts-noto-cjk; fi
}

set_up_browser_tests() {
  local folder=$project/tests/browser
  [ -f "$folder/package-lock.json" ] || return 0
  if cmp -s "$folder/package-lock.json" "$folder/node_modules/.for-lock"; then
    say "the browser tests' packages: there"
    return
  fi
  say "installing the browser tests' packages"
  npm ci --prefix "$folder" --no-audit --no-fund --silent </dev/null || fail "npm could not install the packages of tests/browser"
  cp "$folder/package-lock.json" "$folder/node_modules/.for-lock"
}

# --- All of it -------------------------------------------------------------------------------------------------------

set_up_rust
[ "$goal" = serve ] || set_up_lints
cargo_tool trunk $TRUNK_VERSION 15 trunk
cargo_tool wasm-bindgen-cli $WASM_BINDGEN_VERSION 4 wasm-bindgen wasm-bindgen-test-runner wasm2es6js
[ "$goal" = serve ] || set_up_node
# Serving does without; a release build wants it.
if have npm; then set_up_wasm_opt; fi
if [ "$goal" = test ]; then
  set_up_browser
  set_up_browser_tests
fi
case :$PATH_BEFORE: in *":$cargo_bin:"*) ;; *) say "put $cargo_bin on your PATH for plain 'trunk serve'" ;; esac
say "ready"
