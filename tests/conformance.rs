//! The engine against a real Kafka. The scripts in `tests/golden/kafka/scripts` were run against Apache Kafka 4.3
//! (`make conformance` does it again); here the engine runs them, and must answer field by field as Kafka did. What
//! differs on purpose is listed in `tests/golden/kafka/differences.md`.

#![cfg(not(target_arch = "wasm32"))]

#[path = "conformance/batch.rs"]
mod batch;
#[path = "conformance/client.rs"]
mod client;
#[path = "conformance/golden.rs"]
mod golden;
#[path = "conformance/jar.rs"]
mod jar;
#[path = "conformance/kafka.rs"]
mod kafka;
#[path = "conformance/recorder.rs"]
mod recorder;
#[path = "conformance/schema.rs"]
mod schema;
#[path = "conformance/script.rs"]
mod script;
#[path = "conformance/settings.rs"]
mod settings;
#[path = "conformance/wire.rs"]
mod wire;
#[path = "conformance/words.rs"]
mod words;

use std::path::Path;

/// `make conformance` runs this: it needs Kafka's jars (`DELIVERY_LAB_KAFKA`) and Java.
#[test]
#[ignore = "needs a real Kafka: make conformance"]
fn record_goldens_from_a_real_kafka() {
    let jars = std::env::var("DELIVERY_LAB_KAFKA").expect("make conformance sets DELIVERY_LAB_KAFKA");
    let java = std::env::var("DELIVERY_LAB_JAVA").unwrap_or_else(|_| "java".to_string());
    let only = std::env::var("DELIVERY_LAB_FAMILY").unwrap_or_default();
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/conformance");
    let mut recorder = recorder::Recorder::start(Path::new(&jars), &java, &logs);
    for folder in [script::folder(), script::folder().join("later")] {
        for (family, sequences) in script::families(&folder) {
            if only.is_empty() || only == family {
                recorder.record(&folder, &family, &sequences);
            }
        }
    }
}
