//! The command line: `lab run | list | link | sweep | export | dump | posters | bench`.
//!
//! Exit codes: 0 the claimed guarantee held, 1 it broke (or an invariant did), 2 bad input.

use clap::{Parser, Subcommand};
use delivery_lab::coordinator::share::share_state_record_json;
use delivery_lab::coordinator::{offsets_record_json, transaction_record_json};
use delivery_lab::log::dump::Decoder;
use delivery_lab::scenario::{self, Mistake, Scenario, library, link};
use delivery_lab::session::bench;
use delivery_lab::session::report::Report;
use delivery_lab::session::sweep;
use std::path::PathBuf;
use std::process::ExitCode;

#[path = "lab/files.rs"]
mod files;
#[path = "lab/load.rs"]
mod load;
#[path = "lab/posters.rs"]
mod posters;

use load::load;

/// The engine makes many small things and forgets them: this one is quicker at it than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Kafka's delivery semantics, running for real.
#[derive(Parser)]
#[command(name = "lab", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a scenario to its end; print the verdict and the story.
    Run {
        /// Id in the library, a file, or a link.
        scenario: String,
        /// Another seed.
        #[arg(long)]
        seed: Option<u64>,
        /// Change a setting: acks=1, shop.linger.ms=0, mailer.commit=before, billing.producer.linger.ms=0. May be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Print JSON instead.
        #[arg(long)]
        json: bool,
    },
    /// List the library.
    List {
        /// Print JSON instead.
        #[arg(long)]
        json: bool,
    },
    /// Print the link to a scenario: what the page opens, and what `run` and `export` take.
    Link {
        /// Id in the library, a file, or another link.
        scenario: String,
        /// Another seed.
        #[arg(long)]
        seed: Option<u64>,
        /// Change a setting: acks=1. May be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Run many seeds with random faults; name the first that breaks an invariant.
    Sweep {
        /// Id in the library, a file, or a link, whose inputs are left out.
        scenario: String,
        /// How many seeds, from the scenario's own on.
        #[arg(long, default_value_t = 100)]
        seeds: u64,
        /// How many to run at once; as many as there are processors if not given.
        #[arg(long)]
        jobs: Option<u64>,
        /// Change a setting first. May be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Look for the first seed that shows this instead: lost, duplicated, log-duplicated, reordered, aborted-read, hanging.
        #[arg(long, value_name = "WHAT")]
        find: Option<String>,
        /// Print JSON instead.
        #[arg(long)]
        json: bool,
    },
    /// Run a scenario and write every machine's files as Kafka would hold them: OUT/broker-0/orders-0/….
    Export {
        /// Id in the library, a file, or a link.
        scenario: String,
        /// The folder to write into; it is created.
        #[arg(long)]
        out: PathBuf,
        /// Stop at this moment (milliseconds of the scenario) instead of the link's, or the end.
        #[arg(long, value_name = "MS")]
        at: Option<u64>,
        /// Only this node: broker-0, controller.
        #[arg(long)]
        node: Option<String>,
        /// Only this partition: orders-0.
        #[arg(long)]
        partition: Option<String>,
        /// Another seed.
        #[arg(long)]
        seed: Option<u64>,
        /// Change a setting: acks=1. May be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Print JSON instead of one line a file.
        #[arg(long)]
        json: bool,
    },
    /// Print what kafka-dump-log.sh prints of files: .log, .index, .timeindex, .txnindex, .snapshot.
    Dump {
        /// The files; of a folder, those in it.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The records of each batch too.
        #[arg(long)]
        deep_iteration: bool,
        /// Their keys and values too.
        #[arg(long)]
        print_data_log: bool,
        /// Values are records of the metadata log.
        #[arg(long)]
        cluster_metadata_decoder: bool,
        /// Keys and values are records of __consumer_offsets.
        #[arg(long, conflicts_with = "cluster_metadata_decoder")]
        offsets_decoder: bool,
        /// Keys and values are records of __transaction_state.
        #[arg(long, conflicts_with_all = ["cluster_metadata_decoder", "offsets_decoder"])]
        transaction_log_decoder: bool,
        /// Keys and values are records of __share_group_state.
        #[arg(long, conflicts_with_all = ["cluster_metadata_decoder", "offsets_decoder", "transaction_log_decoder"])]
        share_group_state_decoder: bool,
    },
    /// Draw the posters of the library: OUT/lost-ack.en.svg, OUT/lost-ack.ko.svg, …, and one that tells no outcome.
    Posters {
        /// The folder to write into; it is created.
        #[arg(long)]
        out: PathBuf,
        /// Only these scenarios of the library.
        ids: Vec<String>,
    },
    /// Measure the engine.
    Bench,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run { scenario, seed, set, json } => run(&scenario, seed, &set, json),
        Command::List { json } => {
            list(json);
            Ok(true)
        }
        Command::Link { scenario, seed, set } => load(&scenario, &set).map(|mut link| {
            link.scenario.seed = seed.unwrap_or(link.scenario.seed);
            say(format_args!("{}\n", link::write(&link).suffix()));
            true
        }),
        Command::Sweep { scenario, seeds, set, find: Some(what), .. } => find_anomaly(&scenario, seeds, &set, &what),
        Command::Sweep { scenario, seeds, jobs, set, json, find: None } => {
            run_sweep(&scenario, seeds, jobs, &set, json)
        }
        Command::Export { scenario, out, at, node, partition, seed, set, json } => {
            let chosen = files::Chosen { at, node, partition };
            load(&scenario, &set).and_then(|found| files::export(found, seed, &chosen, &out, json))
        }
        Command::Dump {
            files,
            deep_iteration,
            print_data_log,
            cluster_metadata_decoder,
            offsets_decoder,
            transaction_log_decoder,
            share_group_state_decoder,
        } => {
            let decoders: [(bool, Decoder<'_>); 4] = [
                (cluster_metadata_decoder, &files::metadata_record),
                (offsets_decoder, &offsets_record_json),
                (transaction_log_decoder, &transaction_record_json),
                (share_group_state_decoder, &share_state_record_json),
            ];
            let decoder = decoders.into_iter().find(|(asked, _)| *asked).map(|(_, decoder)| decoder);
            files::dump(&files, deep_iteration, print_data_log, decoder)
        }
        Command::Posters { out, ids } => posters::write(&ids, &out),
        Command::Bench => {
            say(format_args!("{}", bench::measure(&mut Stopwatch::default())));
            Ok(true)
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| eprintln!("lab: {mistake}"));
            ExitCode::from(2)
        }
    }
}

/// The clock of `lab bench`; the library itself has none.
#[derive(Default)]
struct Stopwatch(Option<std::time::Instant>);

impl bench::Meter for Stopwatch {
    fn micros(&mut self) -> u64 {
        let start = self.0.get_or_insert_with(std::time::Instant::now);
        start.elapsed().as_micros() as u64
    }

    /// Resident memory, where the system tells it (Linux); else 0.
    fn memory(&mut self) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kib.unwrap_or(0) * 1_024
    }
}

/// Prints. A reader that has left, as `head` does, is no error.
fn say(text: impl std::fmt::Display) {
    let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{text}"));
}

fn run(name: &str, seed: Option<u64>, set: &[String], json: bool) -> Result<bool, Vec<Mistake>> {
    let mut link = load(name, set)?;
    link.scenario.seed = seed.unwrap_or(link.scenario.seed);
    let report = Report::of(&link.scenario, &load::replay(&link, None)?);
    if json {
        say(format_args!("{}\n", report.to_json()));
    } else {
        say(report.to_text());
    }
    Ok(report.guarantee.holds && report.invariant_violations.is_empty())
}

fn list(json: bool) {
    let all: Vec<Scenario> = library::ids().filter_map(library::get).collect();
    if json {
        let items: Vec<serde_json::Value> = all.iter().map(scenario::to_json).collect();
        say(format_args!("{}\n", serde_json::Value::Array(items)));
        return;
    }
    for scenario in &all {
        let id = scenario.id.as_deref().unwrap_or("");
        let question = scenario.about.as_deref().map_or("", |about| &about.question.en);
        say(format_args!("{id:<20} {question}\n"));
    }
}

fn run_sweep(name: &str, seeds: u64, jobs: Option<u64>, set: &[String], json: bool) -> Result<bool, Vec<Mistake>> {
    let scenario = load::without_inputs(load(name, set)?);
    let processors = || std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let jobs = jobs.unwrap_or_else(processors).clamp(1, seeds.max(1));
    // The engine shares nothing between threads: each loads the scenario for itself, and takes a stretch of the seeds.
    let outcome = std::thread::scope(|scope| {
        let stretch = |job: u64| (seeds * job / jobs, seeds * (job + 1) / jobs);
        let spawn = |job| scope.spawn(move || sweep_stretch(name, set, stretch(job)));
        let threads: Vec<_> = (0..jobs).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).reduce(
            |all, one| match (all, one) {
                (Ok(all), Ok(one)) => Ok(all.and(one)),
                (Err(mistakes), _) | (_, Err(mistakes)) => Err(mistakes),
            },
        )
    });
    let outcome = outcome.unwrap_or(Ok(sweep::Outcome { seeds: 0, events: 0, broken: None }))?;
    if json {
        say(format_args!("{}\n", outcome.to_json(&scenario)));
    } else {
        say(format_args!("{outcome}\n"));
    }
    Ok(outcome.broken.is_none())
}

/// With the protection switched off: does the sweep find what it protects from?
fn find_anomaly(name: &str, seeds: u64, set: &[String], what: &str) -> Result<bool, Vec<Mistake>> {
    let scenario = load::without_inputs(load(name, set)?);
    let known = sweep::Anomaly::WORDS.iter().find(|(word, _)| *word == what);
    let Some((word, anomaly)) = known else {
        let words: Vec<&str> = sweep::Anomaly::WORDS.iter().map(|(word, _)| *word).collect();
        let problem = format!("\"{what}\" is none of: {}", words.join(", "));
        return Err(vec![Mistake { place: "--find".to_owned(), problem }]);
    };
    let found = sweep::find(&scenario, seeds, *anomaly)?;
    match found {
        Some(seed) => say(format_args!("seed {seed} shows it: {word}\n")),
        None => say(format_args!("{seeds} seeds from {} on: never {word}\n", scenario.seed)),
    }
    Ok(found.is_none())
}

fn sweep_stretch(name: &str, set: &[String], (from, to): (u64, u64)) -> Result<sweep::Outcome, Vec<Mistake>> {
    let mut scenario = load(name, set)?.scenario;
    scenario.seed = scenario.seed.wrapping_add(from);
    sweep::run(&scenario, to - from, |done| {
        if done.is_multiple_of(1_000) {
            eprintln!("lab: {done} of {} seeds from {} on", to - from, scenario.seed);
        }
    })
}
