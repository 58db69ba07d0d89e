#!/usr/bin/env bash
# Records the golden directories with a real Kafka 4.3: one KRaft node on loopback, real clients, a clean stop, a second
# start, a kill, a third start that recovers. Then Kafka's own DumpLogSegments reads all of it. Needs a JDK 17
# or newer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kafka=${XDG_CACHE_HOME:-$HOME/.cache}/delivery-lab/kafka/4.3.1
"$here/../../../.ci/conformance.sh" jars
work=$(mktemp -d)
trap 'kill -9 ${broker:-} 2>/dev/null || true; rm -rf "$work"' EXIT
set -f
cp="$kafka/*"
java() { command java -Xmx512m -cp "$cp" "$@"; }

cat > "$work/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:19193
listeners=PLAINTEXT://127.0.0.1:19192,CONTROLLER://127.0.0.1:19193
advertised.listeners=PLAINTEXT://127.0.0.1:19192
controller.listener.names=CONTROLLER
log.dirs=$work/data
log.index.size.max.bytes=4096
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
auto.create.topics.enable=false
log.cleaner.enable=false
EOF
java kafka.tools.StorageTool format --cluster-id delivery-lab-goldens-g --config "$work/server.properties" > "$work/format.txt"

start() {
  command java -Xmx512m -cp "$cp" kafka.Kafka "$work/server.properties" > "$work/broker.txt" 2>&1 &
  broker=$!
}
copy() {
  rm -rf "$here/$1"
  mkdir -p "$here/$1"
  # Without KRaft's snapshots, and without the metadata log of a killed node, whose indexes are 20 MB of zeros.
  (cd "$work/data" && find . -type f ! -name '.lock' ! -name '*.checkpoint' $2 -exec cp --parents {} "$here/$1" \;)
  (cd "$here" && java Dump.java "$1" --deep-iteration --print-data-log > "$1.dump.txt")
}

start
java "$here/Record.java" 127.0.0.1:19192 first
kill "$broker"; wait "$broker" || true
copy closed ''
start
java "$here/Record.java" 127.0.0.1:19192 second
kill -9 "$broker"; wait "$broker" || true
copy crashed "! -path ./__cluster_metadata-0/*"
start
java "$here/Record.java" 127.0.0.1:19192 wait
kill "$broker"; wait "$broker" || true
copy recovered "! -path ./__cluster_metadata-0/*"
du -sh "$here/closed" "$here/crashed" "$here/recovered"
