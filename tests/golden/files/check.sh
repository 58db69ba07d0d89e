#!/usr/bin/env bash
# A real Kafka reads our files: exports every scenario of the library (or those named as arguments), lets Kafka's
# DumpLogSegments read all of it, its index sanity check included, and lets Kafka's own log open every directory and
# recover it, which must not change a byte. Prints each complaint; fails if there is one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kafka=${XDG_CACHE_HOME:-$HOME/.cache}/delivery-lab/kafka/4.3.1
"$here/../../../.ci/conformance.sh" jars
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here/../../.."
cargo build -q --features cli --bin lab
lab=target/debug/lab
scenarios=${*:-$($lab list | awk '{ print $1 }')}
for scenario in $scenarios; do
  $lab export "$scenario" --out "$work/$scenario"
  # Small segments and dense indexes, so that there are many of both.
  $lab export "$scenario" --out "$work/$scenario-small" --set internal.segment.bytes=900 --set index.interval.bytes=150
done
cd "$work"
java -Xmx512m -cp "$kafka/*" "$here/Dump.java" . --deep-iteration --print-data-log --coordinators > kafka.txt
java -Xmx512m -cp "$kafka/*" "$here/Dump.java" . --index-sanity-check >> kafka.txt
# Torn tails are none: a scenario may leave one. A segment that does not begin with offset 0 is "non-consecutive" for the tool.
complaints=$(grep -a -E '^! |isvalid: false|payload: Error at|key: (Error|Unknown record type)' kafka.txt | grep -a -v -E '^! Non-consecutive|^!   -1 is followed by' || true)
echo "check: $(grep -a -c '^Dumping' kafka.txt) dumps, $(wc -l < kafka.txt) lines"
open() { java -Xmx512m -cp "$kafka/*" "$here/Open.java" "$@" || complaints+=$'\nsee above'; }
open 4096 1073741824 $(ls -d ./*/* | grep -v -- -small/)
open 150 900 ./*-small/*
if [ -n "$complaints" ]; then
  echo "$complaints" | head -40
  exit 1
fi
echo "check: Kafka has no complaint"
