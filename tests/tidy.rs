//! The house rules that a compiler does not check: which floor may use which, what the core must never contain, and how
//! long a file may grow. The checkers are plain functions over text, tested below; one test walks the whole of `src`.
//!
//! Architecture Invariant: imports only go downward. A floor that needs something from above is missing an argument, a
//! trait or an event; it is never a reason for an exception here.

#[path = "tidy/reading.rs"]
mod reading;

use reading::{code_only, heads, is_float, line_of, words};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The floors, top to bottom. A floor uses those below it; floors that share a storey do not know each other.
const STOREYS: &[&[&str]] = &[
    &["main", "bin"],
    &["ui", "js"],
    &["poster"],
    &["tell"],
    &["session"],
    &["view"],
    &["history"],
    &["scenario"],
    &["check"],
    &["sim"],
    &["controller", "broker", "app"],
    &["metadata", "raft", "coordinator", "client"],
    &["node"],
    &["log"],
    &["protocol"],
    &["record"],
    &["base"],
];

/// The only steps to a neighbour on the same storey: (who, whom).
const NEIGHBOURS: &[(&str, &str)] = &[("client", "metadata"), ("coordinator", "metadata")];

/// Floors that are not the core: they may know clocks, floats and the browser. Of these `tell` and `poster` measure texts.
const OUTSIDE_THE_CORE: &[&str] = &["main", "bin", "ui", "js", "poster", "tell"];

/// Files of the view and the session that turn microseconds into the fractional milliseconds of JSON.
const MAY_USE_F64: &[&str] = &[];

const LONGEST_FILE: usize = 500;

/// Words that make a run differ from machine to machine, and what to use instead.
const NEVER_IN_THE_CORE: &[(&str, &str)] = &[
    ("HashMap", "its order is random: use BTreeMap, IndexMap or Vec"),
    ("HashSet", "its order is random: use BTreeSet, IndexSet or Vec"),
    ("SystemTime", "time is an argument: take `now: Time`"),
    ("Instant", "time is an argument: take `now: Time`"),
];

/// Modules of `std` that the core must not use, and what to use instead.
const NEVER_OF_STD: &[(&str, &str)] = &[
    ("time", "time is an argument: take `now: Time`"),
    ("thread", "the core is single-threaded: return and be called again"),
];

/// Marks of unfinished work. Written in halves, so that this file does not find itself.
const UNFINISHED: &[&str] = &[concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME")];

// ---- The checkers: each takes a file's path from the project's root and its text, and gives back complaints. ----------

/// The floor that a file belongs to: `src/log/segment.rs` is of `log`, `src/session.rs` of `session`.
fn floor_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let first = inside.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first)).filter(|floor| *floor != "lib")
}

fn storey(floor: &str) -> Option<usize> {
    STOREYS.iter().position(|storey| storey.contains(&floor))
}

fn may_use(floor: &str, other: &str) -> bool {
    let (Some(own), Some(target)) = (storey(floor), storey(other)) else {
        return true;
    };
    floor == other || own < target || NEIGHBOURS.contains(&(floor, other))
}

fn check_floors(path: &str, text: &str) -> Vec<String> {
    let Some(floor) = floor_of(path) else {
        return Vec::new();
    };
    if storey(floor).is_none() {
        return vec![format!(
            "{path}: `{floor}` is no floor: name it in STOREYS of tests/tidy.rs and in the README's map"
        )];
    }
    let mut complaints = Vec::new();
    for (line, other) in imports(path, &code_only(text)) {
        if !may_use(floor, &other) {
            let below: Vec<&str> = STOREYS
                .iter()
                .flat_map(|storey| storey.iter().copied())
                .filter(|it| *it != floor && may_use(floor, it))
                .collect();
            let below = if below.is_empty() { "nothing".to_string() } else { below.join(", ") };
            complaints.push(format!(
                "{path}:{line}: `{floor}` uses `{other}`, which is not below it: `{floor}` may use {below}"
            ));
        }
    }
    complaints
}

fn check_core(path: &str, text: &str) -> Vec<String> {
    if floor_of(path).is_some_and(|floor| OUTSIDE_THE_CORE.contains(&floor)) {
        return Vec::new();
    }
    let code = code_only(text);
    let mut complaints = Vec::new();
    for (at, word) in words(&code) {
        let why = match NEVER_IN_THE_CORE.iter().find(|(never, _)| *never == word) {
            Some((_, why)) => why,
            None if is_float(word) && !MAY_USE_F64.contains(&path) => {
                "floats round: use integers or a ratio of integers"
            }
            None => continue,
        };
        complaints.push(format!("{path}:{}: `{word}` in the core: {why}", line_of(&code, at)));
    }
    for root in ["std", "core"] {
        for (at, module) in heads(&code, root) {
            if let Some((_, why)) = NEVER_OF_STD.iter().find(|(never, _)| *never == module) {
                complaints.push(format!("{path}:{}: `{root}::{module}` in the core: {why}", line_of(&code, at)));
            }
        }
    }
    complaints
}

fn check_size(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines <= LONGEST_FILE {
        return Vec::new();
    }
    vec![format!("{path}: {lines} lines, at most {LONGEST_FILE}: give each idea a file of its own")]
}

fn check_finished(path: &str, text: &str) -> Vec<String> {
    let marked = |line: &str| UNFINISHED.iter().find(|mark| line.contains(**mark)).copied();
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(at, line)| {
            marked(line).map(|mark| format!("{path}:{}: `{mark}`: finish it, or open an issue", at + 1))
        })
        .collect()
}

/// A floor, and every file at the top of `src`, says first what it is for.
fn check_opening(path: &str, text: &str) -> Vec<String> {
    let depth = path.split('/').count();
    let opens_a_floor = depth == 2 || depth == 3 && path.ends_with("/mod.rs");
    if !opens_a_floor || text.starts_with("//!") {
        return Vec::new();
    }
    vec![format!("{path}:1: does not open with `//!`: say what it is for, its invariants, and where Kafka does it")]
}

fn check_file(path: &str, text: &str) -> Vec<String> {
    [check_floors, check_core, check_size, check_finished, check_opening]
        .iter()
        .flat_map(|check| check(path, text))
        .collect()
}

/// The floors that a file names, with the line: through `crate::`, the library's name, or enough `super::`.
fn imports(path: &str, code: &str) -> Vec<(usize, String)> {
    let file = path.rsplit('/').next().unwrap_or(path);
    // How many `super::` lead from this file to the crate's root: src/log/mod.rs is one below it, src/log/segment.rs two.
    let depth = path.split('/').count() - if file == "mod.rs" { 2 } else { 1 };
    let to_the_root = vec!["super"; depth].join("::");
    let code = code.replace(&format!("{to_the_root}::"), "crate::");
    let mut found: Vec<(usize, String)> = ["crate", "delivery_lab"]
        .iter()
        .flat_map(|root| heads(&code, root))
        .filter(|(_, name)| storey(name).is_some())
        .map(|(at, name)| (line_of(&code, at), name))
        .collect();
    found.sort();
    found.dedup();
    found
}

// ---- The house. -------------------------------------------------------------------------------------------------------

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && !path.ends_with("node_modules") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn complaints_about(folder: &str, check: fn(&str, &str) -> Vec<String>) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut report = String::new();
    for file in rust_files(&root.join(folder)) {
        let path = file.strip_prefix(root).expect("inside the project").to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
        for complaint in check(&path, &text) {
            writeln!(report, "  {complaint}").expect("a string takes all");
        }
    }
    report
}

#[test]
fn the_house_is_tidy() {
    let report = complaints_about("src", check_file);
    assert!(report.is_empty(), "src breaks the house rules:\n{report}");
}

#[test]
fn the_tests_are_finished() {
    let report = complaints_about("tests", check_finished);
    assert!(report.is_empty(), "tests are unfinished:\n{report}");
}

#[test]
fn exceptions_stay_where_they_belong() {
    for path in MAY_USE_F64 {
        assert!(
            path.starts_with("src/view/") || *path == "src/session.rs",
            "{path}: only the view and the session write JSON"
        );
    }
}

// ---- The checkers can fail. -------------------------------------------------------------------------------------------

/// The lines and floors that a file may not use.
fn refused(path: &str, text: &str) -> usize {
    check_floors(path, text).len()
}

#[test]
fn downward_is_fine_and_upward_is_refused() {
    assert_eq!(refused("src/log/segment.rs", "use crate::record::Batch;\nuse crate::base::Time;"), 0);
    assert_eq!(refused("src/log/segment.rs", "use crate::sim::World;"), 1);
    assert_eq!(refused("src/log/segment.rs", "fn f(w: &crate::sim::World) {}"), 1);
    assert_eq!(refused("src/base/time.rs", "use crate::{base::prng, record::{self, Batch}, log};"), 2);
    assert_eq!(refused("src/session.rs", "use crate::view::Cluster;"), 0);
    assert_eq!(refused("src/view/mod.rs", "use crate::session::Session;"), 1);
    assert_eq!(refused("src/ui/app.rs", "use delivery_lab::session::Session;\nuse crate::ui::state;"), 0);
    assert_eq!(refused("src/lib.rs", "pub use crate::session::Session;"), 0);
}

#[test]
fn neighbours_do_not_know_each_other() {
    assert_eq!(refused("src/broker/partition.rs", "use crate::controller::Quorum;"), 1);
    assert_eq!(refused("src/app/mod.rs", "use crate::client::Producer;"), 0);
    assert_eq!(refused("src/client/mod.rs", "use crate::metadata::Image;"), 0);
    assert_eq!(refused("src/metadata/mod.rs", "use crate::client::Producer;"), 1);
    assert_eq!(refused("src/client/mod.rs", "use crate::coordinator::Group;"), 1);
}

#[test]
fn super_is_no_way_out() {
    assert_eq!(refused("src/log/mod.rs", "use super::sim::World;"), 1);
    assert_eq!(refused("src/log/segment.rs", "use super::super::sim::World;"), 1);
    assert_eq!(refused("src/log/segment.rs", "use super::sim::World;"), 0);
}

#[test]
fn comments_and_strings_do_not_import() {
    let text = "// crate::sim\n/* crate::sim /* nested */ crate::sim */\nlet a = \"crate::sim\"; let b = r#\"\"crate::sim\"#; let c = '\"';";
    assert_eq!(refused("src/log/mod.rs", text), 0);
    assert_eq!(refused("src/log/mod.rs", "fn f<'a>(x: &'a str) -> &'a crate::sim::World { '\\'' }"), 1);
}

#[test]
fn a_complaint_says_what_where_and_what_would_be_right() {
    let complaint = check_floors("src/protocol/mod.rs", "\nuse crate::log::Log;").join("\n");
    assert_eq!(
        complaint,
        "src/protocol/mod.rs:2: `protocol` uses `log`, which is not below it: `protocol` may use record, base"
    );
    let stranger = check_floors("src/attic/mod.rs", "").join("\n");
    assert!(stranger.contains("`attic` is no floor"), "{stranger}");
}

#[test]
fn the_core_is_deterministic() {
    let count = |text: &str| check_core("src/log/mod.rs", text).len();
    assert_eq!(count("use std::collections::{BTreeMap, HashMap};"), 1);
    assert_eq!(count("use std::time::Duration;"), 1);
    assert_eq!(count("use std::{fmt, time::Duration, thread};"), 2);
    assert_eq!(count("fn share(x: f64) -> f32 { 1.5 }"), 3);
    assert_eq!(count("let x = 2f64 + 0xf64;"), 1);
    assert_eq!(count("let x = pair.0.1; for i in 0..5 {} let h = my_std::time;"), 0);
    assert_eq!(count("// an f64, a HashMap\nlet text = \"1.5 f64\";"), 0);
    assert_eq!(check_core("src/ui/app.rs", "use std::collections::HashMap; let x = 1.5;").len(), 0);
    assert_eq!(check_core("src/lib.rs", "use std::collections::HashSet;").len(), 1);
}

#[test]
fn long_unfinished_and_silent_files_are_found() {
    assert_eq!(check_size("src/log/tests.rs", &"x\n".repeat(LONGEST_FILE)).len(), 0);
    assert_eq!(check_size("src/log/tests.rs", &"x\n".repeat(LONGEST_FILE + 1)).len(), 1);
    for mark in UNFINISHED {
        assert_eq!(check_finished("src/log/mod.rs", &format!("fine\n{mark})")).len(), 1, "{mark}");
    }
    assert_eq!(check_opening("src/log/mod.rs", "use std::fmt;").len(), 1);
    assert_eq!(check_opening("src/log/mod.rs", "//! The log.").len(), 0);
    assert_eq!(check_opening("src/session.rs", "").len(), 1);
    assert_eq!(check_opening("src/log/segment.rs", "").len(), 0);
}
