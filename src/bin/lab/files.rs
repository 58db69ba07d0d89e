//! `lab export` and `lab dump`: Kafka's files on the real disk.

use bytes::Bytes;
use delivery_lab::log::dump::{Decoder, Options, dump as dump_file, is_dumpable};
use delivery_lab::log::files::NamedFile;
use delivery_lab::metadata::record_json;
use delivery_lab::record::RawRecord;
use delivery_lab::scenario::link::{Link, Moment};
use delivery_lab::scenario::{Mistake, Trial};
use delivery_lab::view::{node_files, partition_files};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What of a run to export.
pub struct Chosen {
    /// Milliseconds of the scenario; the link's moment or else the end if absent.
    pub at: Option<u64>,
    /// A node's name; all brokers and controllers if absent.
    pub node: Option<String>,
    /// A partition's name; everything if absent.
    pub partition: Option<String>,
}

fn mistake(place: impl Into<String>, problem: impl ToString) -> Vec<Mistake> {
    vec![Mistake { place: place.into(), problem: problem.to_string() }]
}

/// Runs a scenario and writes the files of its machines.
pub fn export(
    mut link: Link,
    seed: Option<u64>,
    chosen: &Chosen,
    out: &Path,
    json: bool,
) -> Result<bool, Vec<Mistake>> {
    link.scenario.seed = seed.unwrap_or(link.scenario.seed);
    let until = chosen.at.map(|ms| Moment::at(ms.saturating_mul(1_000))).or(link.at);
    let trial = super::load::replay(&link, until)?;
    let written = choose(&trial, chosen)?;
    let mut sums: Vec<(&str, usize, usize)> = Vec::new();
    for file in &written {
        let path = out.join(&file.name);
        let folder = path.parent().unwrap_or(out);
        std::fs::create_dir_all(folder).map_err(|error| mistake(folder.display().to_string(), error))?;
        std::fs::write(&path, &file.bytes).map_err(|error| mistake(path.display().to_string(), error))?;
        let node = file.name.split('/').next().unwrap_or_default();
        match sums.last_mut().filter(|(name, ..)| *name == node) {
            Some((_, files, bytes)) => (*files, *bytes) = (*files + 1, *bytes + file.bytes.len()),
            None => sums.push((node, 1, file.bytes.len())),
        }
    }
    if json {
        let list = written.iter().map(|file| serde_json::json!({ "file": file.name, "bytes": file.bytes.len() }));
        println!("{}", serde_json::Value::Array(list.collect()));
    } else {
        for (node, files, bytes) in sums {
            println!("{}: {files} files, {bytes} bytes", out.join(node).display());
        }
    }
    Ok(true)
}

/// The files that were asked for, by their paths from the folder on.
fn choose(trial: &Trial, chosen: &Chosen) -> Result<Vec<NamedFile>, Vec<Mistake>> {
    let world = &trial.run.world;
    let nodes: Vec<_> = match &chosen.node {
        None => world.nodes().map(|(id, _)| id).collect(),
        Some(name) => {
            vec![world.node_id(name).ok_or_else(|| mistake("--node", format!("there is no node \"{name}\"")))?]
        }
    };
    let mut all = Vec::new();
    for node in nodes {
        let name = world.name(node);
        let files = match &chosen.partition {
            None => node_files(world, node),
            Some(partition) => {
                let files = partition_files(world, node, partition).unwrap_or_default().into_iter();
                files.map(|file| NamedFile { name: format!("{partition}/{}", file.name), ..file }).collect()
            }
        };
        all.extend(files.into_iter().map(|file| NamedFile { name: format!("{name}/{}", file.name), ..file }));
    }
    if all.is_empty() {
        let (place, name) = match (&chosen.partition, &chosen.node) {
            (Some(partition), _) => ("--partition", partition),
            (None, Some(node)) => ("--node", node),
            (None, None) => return Ok(all),
        };
        return Err(mistake(place, format!("\"{name}\" has no files there")));
    }
    Ok(all)
}

/// A record of the metadata log.
pub fn metadata_record(record: &RawRecord<'_>) -> (Option<String>, Option<String>) {
    let json = record_json(record.value.unwrap_or_default());
    (None, Some(json.unwrap_or_else(|error| format!("Error at {}, skipping. {error}", record.offset))))
}

/// Prints files as Kafka's tool does; what is wrong with them goes to standard error. False if anything is.
pub fn dump(files: &[PathBuf], deep: bool, print: bool, decoder: Option<Decoder<'_>>) -> Result<bool, Vec<Mistake>> {
    let mut fine = true;
    for path in files.iter().map(PathBuf::as_path).map(inside).collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        let bytes = std::fs::read(&path).map_err(|error| mistake(path.display().to_string(), error))?;
        let beside = |name: &str| std::fs::read(path.with_file_name(name)).ok().map(Bytes::from);
        let options = Options { deep, print: print || decoder.is_some(), decoder };
        let dumped = dump_file(&path.to_string_lossy(), &bytes.into(), &beside, options);
        eprint!("{}", dumped.errors);
        if std::io::stdout().write_all(dumped.out.as_bytes()).is_err() {
            // Whoever reads it has seen enough.
            break;
        }
        // A log that does not begin with offset 0 is "non-consecutive" for Kafka's tool.
        let usual = |line: &str| line.starts_with("Non-consecutive ") || line.starts_with("  -1 is followed by ");
        fine &= dumped.errors.lines().all(usual);
    }
    Ok(fine)
}

/// The file itself, or the dumpable files of a folder, sorted.
fn inside(path: &Path) -> Result<Vec<PathBuf>, Vec<Mistake>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| mistake(path.display().to_string(), error))?;
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| path.file_name().is_some_and(|name| is_dumpable(&name.to_string_lossy())));
    found.sort();
    Ok(found)
}
