//! The fields that are not Kafka's: what applications do, the systems behind them, and the world around.
//!
//! Every key of the file format has one where it means something, except names and what would be another picture (a new
//! topic, another application). Most are at their default most of the time: those are shown when asked for.

use super::{Place, share};
use crate::ui::i18n::Texts;
use delivery_lab::app::SinkSetup;
use delivery_lab::base::Duration;
use delivery_lab::scenario::format::{
    Commit, Consumer, Dedupe, Fencing, First, HandOver, Key, Offsets, OnRevoke, Processor, Producer, Resend, Sink,
};
use delivery_lab::scenario::{Scenario, set};
use std::rc::Rc;

/// A field that is not Kafka's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkField {
    /// Its key in the file format.
    pub key: &'static str,
    /// What it is.
    pub value: String,
    /// What it is where nothing is said; none where there is no such thing.
    pub default: Option<String>,
    /// What it may be.
    pub kind: WorkKind,
    /// It is of interest only where it is changed.
    pub minor: bool,
}

impl WorkField {
    /// Whether it says something else than its default.
    pub fn is_changed(&self) -> bool {
        self.default.as_ref().is_some_and(|default| *default != self.value)
    }
}

/// What a workload field may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WorkKind {
    /// A whole number.
    Number(u64, u64),
    /// One of these words; the empty one leaves it to something else, or takes it away.
    Words(Vec<Rc<str>>),
    /// Free text with a grammar of its own.
    Text,
}

/// A word's list in the format.
type Known<T> = &'static [(&'static str, T)];

/// Ten minutes, in ms: nobody waits longer.
const LONG: u64 = 600_000;
/// Every how-manieth: more is never.
const RARE: u64 = 1_000_000;

/// Fields in the order of the page.
#[derive(Default)]
struct Fields(Vec<WorkField>);

impl Fields {
    fn add(&mut self, key: &'static str, value: String, default: Option<&str>, kind: WorkKind) -> &mut WorkField {
        self.0.push(WorkField { key, value, default: default.map(str::to_owned), kind, minor: false });
        self.0.last_mut().expect("invariant: it was added")
    }

    fn number(&mut self, key: &'static str, value: u64, range: (u64, u64)) -> &mut WorkField {
        self.add(key, value.to_string(), None, WorkKind::Number(range.0, range.1))
    }

    /// 0 for none.
    fn count(&mut self, key: &'static str, value: u64, most: u64) -> &mut WorkField {
        self.add(key, value.to_string(), Some("0"), WorkKind::Number(0, most))
    }

    fn words<T>(&mut self, key: &'static str, value: &str, default: &str, words: Known<T>) -> &mut WorkField {
        let words = words.iter().map(|(word, _)| Rc::from(*word)).collect();
        self.add(key, value.to_owned(), Some(default), WorkKind::Words(words))
    }

    /// Where nothing is said, something else decides.
    fn optional<T>(&mut self, key: &'static str, value: Option<&'static str>, known: Known<T>) -> &mut WorkField {
        let words = known.iter().map(|(word, _)| *word);
        let words = value.is_none().then_some("").into_iter().chain(words).map(Rc::from).collect();
        self.add(key, value.unwrap_or_default().to_owned(), value.is_none().then_some(""), WorkKind::Words(words))
    }

    fn flag(&mut self, key: &'static str, value: bool, default: bool) -> &mut WorkField {
        let kind = WorkKind::Words(["true", "false"].map(Rc::from).into());
        self.add(key, value.to_string(), Some(if default { "true" } else { "false" }), kind)
    }

    fn text(&mut self, key: &'static str, value: Option<&str>) -> &mut WorkField {
        self.add(key, value.unwrap_or_default().to_owned(), Some(""), WorkKind::Text)
    }

    /// One of these topics, or none.
    fn topic(&mut self, key: &'static str, value: &Option<Rc<str>>, topics: impl Iterator<Item = Rc<str>>) {
        let mut words: Vec<Rc<str>> = vec!["".into()];
        words.extend(topics);
        if words.len() > 1 {
            self.add(key, value.as_deref().unwrap_or_default().to_owned(), Some(""), WorkKind::Words(words)).minor();
        }
    }

    fn start(&mut self, start: Option<Duration>) {
        self.count("start.at.ms", start.map_or(0, Duration::as_millis), LONG).minor();
    }
}

impl WorkField {
    fn minor(&mut self) {
        self.minor = true;
    }
}

/// The workload fields of a place.
pub fn workload(scenario: &Scenario, place: Place) -> Vec<WorkField> {
    let mut fields = Fields::default();
    match place {
        Place::Producer(at) => producer(&mut fields, &scenario.producers[at], scenario),
        Place::Reader(at) => processor(&mut fields, &scenario.processors[at]),
        Place::Consumer(at) => consumer(&mut fields, &scenario.consumers[at], scenario),
        Place::Writer(_) | Place::Sender(_) | Place::Group(_) => {}
        Place::Topic(at) => {
            let it = &scenario.topics[at];
            fields.number("partitions", it.partitions.into(), (1, 64));
            fields.number("replication.factor", it.replication_factor.into(), (1, scenario.cluster.brokers.into()));
        }
        Place::Cluster => world(&mut fields, scenario),
    }
    fields.0
}

fn world(fields: &mut Fields, scenario: &Scenario) {
    let (low, high) = scenario.network.latency;
    let (cluster, until) = (&scenario.cluster, scenario.until);
    fields.number("seed", scenario.seed, (0, u64::MAX));
    fields.number("brokers", cluster.brokers.into(), (1, 9));
    let kind = WorkKind::Words(["1", "3"].map(Rc::from).into());
    fields.add("controllers", cluster.controllers.to_string(), Some("1"), kind);
    fields.text("racks", Some(&cluster.racks.join(", "))).minor();
    fields.number("latency.us least", low.0, (0, 60_000_000));
    fields.number("latency.us most", high.0, (0, 60_000_000));
    fields.flag("until.quiet", until.quiet, true).minor();
    fields
        .add("until.max.ms", until.max.as_millis().to_string(), Some("300000"), WorkKind::Number(1, 86_400_000))
        .minor();
}

fn producer(fields: &mut Fields, it: &Producer, scenario: &Scenario) {
    let key = match it.key {
        Key::None => "none".to_owned(),
        Key::Record => "record".to_owned(),
        Key::Entity(count) => format!("entity:{count}"),
    };
    if scenario.topics.len() > 1 {
        let topics = scenario.topics.iter().map(|topic| Rc::clone(&topic.name)).collect();
        fields.add("topic", it.topic.to_string(), None, WorkKind::Words(topics));
    }
    fields.number("records", it.records.into(), (0, 100_000));
    fields.number("rate.per.second", it.rate_per_second.into(), (1, 1_000_000));
    fields.add("key", key, None, WorkKind::Text);
    fields.words("resend", it.resend.word(), Resend::Never.word(), Resend::WORDS).minor();
    if it.config.contains_key("transactional.id") {
        fields.number("transaction.records", it.transaction_records.into(), (1, 100_000));
        fields.count("abort.every", it.abort_every.into(), 100_000);
    }
    fields.start(it.start);
}

fn processor(fields: &mut Fields, it: &Processor) {
    fields.number("processing.ms", it.processing.as_millis(), (0, LONG));
    fields.optional("offsets", it.offsets.map(Offsets::word), Offsets::WORDS);
    fields.add("from", it.from.join(", "), None, WorkKind::Text);
    fields.add("to", it.to.join(", "), None, WorkKind::Text);
    fields.add("group", it.group.to_string(), Some(&*it.name), WorkKind::Text).minor();
    fields.flag("assign", it.assign, false).minor();
    fields.start(it.start);
    match &it.sink {
        Some(it) => sink(fields, it),
        None => fields.words("sink.dedupe", "", "", Dedupe::WORDS).minor(),
    }
    for field in &mut fields.0 {
        if let ("sink.dedupe", WorkKind::Words(words)) = (field.key, &mut field.kind) {
            // Without one it acts on nothing outside of Kafka.
            words.insert(0, "".into());
        }
    }
    // What it is refused for ever it would read for ever.
    fields.0.retain(|field| field.key != "sink.poison.every");
}

fn consumer(fields: &mut Fields, it: &Consumer, scenario: &Scenario) {
    let member = it.group.is_some() && !it.assign;
    fields.number("processing.ms", it.processing.as_millis(), (0, LONG));
    match it.share {
        // It acknowledges with the next poll(), unless it is told otherwise.
        true => fields.words("commit", it.commit.unwrap_or(Commit::Auto).word(), "auto", Commit::WORDS),
        false => fields.optional("commit", it.commit.map(Commit::word), Commit::WORDS),
    };
    fields.words("hand.over", it.hand_over.word(), HandOver::Inline.word(), HandOver::WORDS);
    if member && !it.share {
        fields.words("on.revoke", it.on_revoke.word(), OnRevoke::Nothing.word(), OnRevoke::WORDS);
    }
    fields.0.extend(share::fields(it));
    fields.flag("batch", it.batch, false).minor();
    reads(fields, it, member);
    fields.count("retries", it.retries.into(), 1_000).minor();
    fields.count("retry.backoff.ms", it.retry_backoff.as_millis(), LONG).minor();
    let others = || scenario.topics.iter().map(|topic| Rc::clone(&topic.name)).filter(|name| !it.topics.contains(name));
    fields.topic("retry.topic", &it.retry_topic, others());
    fields.topic("dead.letter.topic", &it.dead_letter_topic, others());
    sink(fields, &it.sink);
    if it.share {
        // Nobody in a share group has a position to store.
        let stored = Dedupe::OffsetWithOutput.word();
        for field in &mut fields.0 {
            if let ("sink.dedupe", WorkKind::Words(words)) = (field.key, &mut field.kind) {
                words.retain(|word| **word != *stored);
            }
        }
    }
}

/// Who else reads, what, and from when on.
fn reads(fields: &mut Fields, it: &Consumer, member: bool) {
    fields.add("group", it.group.as_deref().unwrap_or_default().to_owned(), None, WorkKind::Text).minor();
    if it.group.is_some() {
        fields.add("members", it.members.to_string(), Some("1"), WorkKind::Number(1, 32)).minor();
        fields.flag("share", it.share, false).minor();
    }
    if !it.share {
        fields.flag("assign", it.assign, false).minor();
    }
    fields.add("topics", it.topics.join(", "), None, WorkKind::Text).minor();
    if member && !it.share {
        fields.text("topics.pattern", it.topics_pattern.as_deref()).minor();
    }
    fields.start(it.start);
}

/// The system behind an application; of a store only what a store has.
fn sink(fields: &mut Fields, it: &Sink) {
    fields.words("sink.dedupe", it.dedupe.word(), Dedupe::None.word(), Dedupe::WORDS);
    if it.dedupe == Dedupe::ProcessedIds {
        fields.count("sink.window.records", it.window_records.unwrap_or(0).into(), RARE);
        fields.count("sink.window.ms", it.window.map_or(0, Duration::as_millis), LONG);
    }
    if it.dedupe == Dedupe::OffsetWithOutput {
        fields.words("sink.fencing", it.fencing.word(), Fencing::Offset.word(), Fencing::WORDS);
    }
    if matches!(it.dedupe, Dedupe::ProcessedIds | Dedupe::OffsetWithOutput) {
        fields.flag("sink.atomic", it.atomic, true);
    }
    if !it.atomic {
        fields.words("sink.first", it.first.word(), First::Effect.word(), First::WORDS);
    }
    let waits = SinkSetup::TIMEOUT.as_millis().to_string();
    fields.count("sink.latency.ms", it.latency.as_millis(), LONG).minor();
    fields.add("sink.timeout.ms", it.timeout.as_millis().to_string(), Some(&waits), WorkKind::Number(1, LONG)).minor();
    fields.count("sink.fail.every", it.fail_every.into(), RARE).minor();
    fields.count("sink.lose.reply.every", it.lose_reply_every.into(), RARE).minor();
    fields.count("sink.poison.every", it.poison_every.into(), RARE).minor();
    fields.text("sink.name", it.name.as_deref()).minor();
}

/// The scenario with a workload field changed, or what is wrong with the text.
pub fn set_work(
    scenario: &Scenario,
    place: Place,
    field: &WorkField,
    text: &str,
    t: &Texts,
) -> Result<Scenario, String> {
    let text = text.trim();
    let mut new = scenario.clone();
    let mut number = 0;
    match &field.kind {
        WorkKind::Number(low, high) => {
            number = text
                .parse()
                .ok()
                .filter(|it| (low..=high).contains(&it))
                .ok_or_else(|| (t.expected_number)(*low, *high))?;
        }
        WorkKind::Words(words) if !words.iter().any(|word| **word == *text) => {
            return Err((t.expected_words)(&words.join(", ")));
        }
        _ => {}
    }
    match (place, field.key) {
        (Place::Cluster, "seed") => new.seed = number,
        (Place::Cluster, "latency.us least") => new.network.latency.0 = Duration::from_micros(number),
        (Place::Cluster, "latency.us most") => new.network.latency.1 = Duration::from_micros(number),
        (Place::Cluster, "until.quiet") => new.until.quiet = text == "true",
        (Place::Cluster, "until.max.ms") => new.until.max = Duration::from_millis(number),
        (Place::Reader(at), "sink.dedupe") if text.is_empty() => new.processors[at].sink = None,
        (_, key) => {
            let name = if place == Place::Cluster { "cluster".to_owned() } else { place.name(scenario) };
            // Who starts with the run is there already.
            let text = if key == "start.at.ms" && number == 0 { "" } else { text };
            set(&mut new, &format!("{name}.{key}={text}")).map_err(|mistake| match key {
                "key" => (t.expected_words)("none, record, entity:4"),
                _ => mistake.problem,
            })?;
        }
    }
    let (low, high) = new.network.latency;
    if low > high {
        // The other end follows: whoever sets the least above the most means both.
        new.network.latency = if field.key.ends_with("least") { (low, low) } else { (high, high) };
    }
    Ok(new)
}

#[cfg(test)]
mod tests;
