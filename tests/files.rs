//! Our files against those of a real Kafka 4.3: the directories under `tests/golden/files`, recorded by the script there.
#![cfg(not(target_arch = "wasm32"))]

#[path = "files/directories.rs"]
mod directories;
#[path = "files/dumps.rs"]
mod dumps;
#[path = "files/goldens.rs"]
mod goldens;
#[path = "files/hostile.rs"]
mod hostile;
#[path = "files/worlds.rs"]
mod worlds;
