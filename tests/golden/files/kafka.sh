#!/usr/bin/env bash
# Gets Kafka 4.3.1's jars from Maven Central, once.
set -euo pipefail
kafka=${XDG_CACHE_HOME:-$HOME/.cache}/delivery-lab/kafka
[ -f "$kafka/libs/kafka-tools-4.3.1.jar" ] && exit 0
mkdir -p "$kafka/get"
cat > "$kafka/get/pom.xml" <<'EOF'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>delivery-lab</groupId><artifactId>kafka-get</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.1</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>4.3.1</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
EOF
cd "$kafka/get" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$kafka/libs"
