#!/usr/bin/env bash
# Records what a real Apache Kafka answers to the scripts in tests/golden/kafka, and shows what changed. Needs Java 17
# and about 1.5 GB of memory; takes about an hour on two cores. Not part of `make test`, which plays the scripts
# against the engine and compares with the goldens that are checked in.
#
#   .ci/conformance.sh            record everything, then show the difference to what is checked in
#   .ci/conformance.sh produce    only the family `produce` (tests/golden/kafka/scripts/produce.json); several as `produce,fetch`
#   .ci/conformance.sh assignors  only what Kafka's assignors make of random groups (seconds; no broker, but a JDK)
#   .ci/conformance.sh jars       only download
#
# Kafka comes from Maven Central, through Maven (or with curl from the copy that MAVEN_CENTRAL names), jar by jar, each
# against the checksum in .ci/kafka-VERSION.sha256, and is kept in ${XDG_CACHE_HOME:-~/.cache}/delivery-lab/kafka.
set -euo pipefail

KAFKA_VERSION=4.3.1
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
checksums=$project/.ci/kafka-$KAFKA_VERSION.sha256
jars=${XDG_CACHE_HOME:-$HOME/.cache}/delivery-lab/kafka/$KAFKA_VERSION

say() { printf 'conformance: %s\n' "$*"; }
fail() {
  printf 'conformance: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

find_java() {
  java=${JAVA_HOME:+$JAVA_HOME/bin/}java
  local major=0
  if have "$java"; then major=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1); fi
  [ "${major:-0}" -ge 17 ] || fail "Java 17 or later is needed to run Kafka: install a JRE, or name one in JAVA_HOME"
}

checksum() { if have sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1; }
is_good() { [ -f "$1" ] && [ "$(checksum "$1")" = "$2" ]; }

# One jar, by its path in a Maven repository: from the copy that is named, or as Maven finds it.
fetch_jar() {
  local path=$1 to=$2 artifact version group
  if [ -n "${MAVEN_CENTRAL:-}" ]; then
    curl --silent --show-error --fail --location --retry 3 --max-time 300 --output "$to" "$MAVEN_CENTRAL/$path"
    return
  fi
  version=$(basename "$(dirname "$path")") artifact=$(basename "$(dirname "$(dirname "$path")")")
  group=$(dirname "$(dirname "$(dirname "$path")")")
  mvn --batch-mode --quiet -Dstyle.color=never dependency:copy -Dartifact="${group//\//.}:$artifact:$version" -DoutputDirectory="$(dirname "$to")" \
    -Dmdep.useBaseVersion=true </dev/null && mv "$(dirname "$to")/$(basename "$path")" "$to"
}

fetch_jars() {
  if [ -n "${MAVEN_CENTRAL:-}" ]; then
    have curl || fail "curl is missing: it fetches Kafka from MAVEN_CENTRAL"
  else
    have mvn || fail "Maven is missing: it fetches Kafka from Maven Central (or name a copy in MAVEN_CENTRAL, for curl)"
  fi
  mkdir -p "$jars"
  local sum path jar fresh=0
  while read -r sum path; do
    jar=$jars/$(basename "$path")
    is_good "$jar" "$sum" && continue
    [ $fresh -gt 0 ] || say "downloading Kafka $KAFKA_VERSION (about 40 MB)"
    fetch_jar "$path" "$jar.part" || fail "could not download $(basename "$path")"
    is_good "$jar.part" "$sum" || fail "$(basename "$path") has another checksum than .ci/kafka-$KAFKA_VERSION.sha256 says"
    mv "$jar.part" "$jar"
    fresh=$((fresh + 1))
  done <"$checksums"
  say "Kafka $KAFKA_VERSION: $fresh jars downloaded, the rest there"
}

find_java
fetch_jars
[ "${1:-}" != jars ] || exit 0

# Nothing of it stays, also when this is interrupted: the recorder notes its processes where it keeps their data.
TMPDIR=$(mktemp -d)
export TMPDIR
clean_up() {
  local pid
  for pid in $(cat "$TMPDIR"/*/pids 2>/dev/null); do
    case $(ps -o args= -p "$pid" 2>/dev/null) in *kafka.Kafka*) kill -9 "$pid" 2>/dev/null || true ;; esac
  done
  rm -rf "$TMPDIR"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Kafka's own classes, without a broker: the source is compiled on the way, which takes a JDK.
record_assignors() {
  "$java" --list-modules | grep -q '^jdk\.compiler' || {
    [ -z "$1" ] || fail "this needs a JDK, not only a JRE"
    say "no JDK: what the assignors decide is not recorded"
    return
  }
  "$java" -cp "$jars/*" tests/conformance/Assignors.java >"$TMPDIR/assignors.json"
  mv "$TMPDIR/assignors.json" tests/golden/kafka/assignors.json
}

cd "$project"
case ${1:-} in '' | assignors) record_assignors "${1:-}" ;; esac
if [ "${1:-}" != assignors ]; then
  say "recording (the brokers' logs are kept in target/conformance)"
  export DELIVERY_LAB_KAFKA=$jars DELIVERY_LAB_JAVA=$java DELIVERY_LAB_FAMILY=${1:-}
  cargo test --test conformance -- --ignored --exact --nocapture record_goldens_from_a_real_kafka
fi
if git diff --quiet -- tests/golden/kafka && [ -z "$(git status --porcelain -- tests/golden/kafka)" ]; then
  say "a real Kafka $KAFKA_VERSION answers as the goldens say"
else
  git --no-pager diff --stat -- tests/golden/kafka
  git --no-pager diff -- ':(glob)tests/golden/kafka/*.json'
  git status --short -- tests/golden/kafka
  say "the goldens changed: see above"
  exit 1
fi
