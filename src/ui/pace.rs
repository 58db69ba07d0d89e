//! The automatic speed: time flows by what there is to see.
//!
//! A message that has not been seen before takes its time; the tenth of its kind hurries. Where something goes wrong
//! (a stalled or lost message, a retry) it slows down again; quiet waiting passes quickly, and the more quickly the
//! longer it lasts. Wherever the pace is the browser's, the order of events is still the engine's.

use delivery_lab::base::{SortedMap, SortedSet};
use delivery_lab::view::{Activity, ClusterView, MessageFate, MessageView, NodeBody, RowStatus};

/// Real milliseconds for a flight of a kind seen so many times before.
const FLIGHT_MS: [f64; 6] = [620.0, 360.0, 220.0, 150.0, 110.0, 85.0];
/// The same for messages that carry no records: they only prepare the way.
const AROUND_MS: [f64; 6] = [150.0, 110.0, 80.0, 60.0, 50.0, 40.0];
/// Real milliseconds for a flight that is part of the trouble.
const TROUBLE_MS: f64 = 750.0;
/// Virtual microseconds per real millisecond: where waiting starts, and how fast it may become.
const WAIT_START: f64 = 30.0;
const WAIT_MOST: f64 = 420.0;
const WAIT_LONG: f64 = 6_000.0;
/// How long (virtual) a wait is before it counts as long.
const LONG_US: f64 = 600_000.0;
/// How long (real) a newly broken record holds the pace down, and to what.
const SHOCK_MS: f64 = 900.0;
const SHOCK_PACE: f64 = 4.0;

/// What the pace remembers.
#[derive(Default)]
pub struct Pacer {
    seen: SortedMap<(&'static str, bool), usize>,
    rank: SortedMap<u64, usize>,
    trouble: SortedSet<u32>,
    broken: usize,
    shock_ms: f64,
    waiting: f64,
    quiet_since: f64,
}

impl Pacer {
    /// Virtual microseconds per real millisecond, now. `real_ms` is how much real time passed since the last call.
    pub fn pace(&mut self, view: &ClusterView, clock_us: f64, real_ms: f64) -> f64 {
        self.look_for_trouble(view);
        self.shock_ms = (self.shock_ms - real_ms).max(0.0);
        let flights = view.messages.iter().filter(|it| !it.quiet && it.fate == MessageFate::Flying);
        let slowest = flights.filter_map(|it| self.flight(it, clock_us)).reduce(f64::min);
        let pace = match slowest {
            Some(pace) => {
                self.waiting = WAIT_START;
                self.quiet_since = clock_us;
                pace
            }
            None => self.wait(view, clock_us, real_ms),
        };
        if self.shock_ms > 0.0 { pace.min(SHOCK_PACE.max(pace / 8.0)) } else { pace }
    }

    /// The pace at which a message in flight can be followed; none once it has arrived.
    fn flight(&mut self, message: &MessageView, clock_us: f64) -> Option<f64> {
        let arrives = message.arrives_us? as f64;
        if arrives <= clock_us {
            return None;
        }
        let (seen, rank) = (&mut self.seen, &mut self.rank);
        let rank = *rank.entry(message.id).or_insert_with(|| {
            let count = seen.entry((message.api, message.response)).or_default();
            *count += 1;
            *count - 1
        });
        if self.rank.len() > 512 {
            self.rank.pop_first();
        }
        let wrong = message.error.is_some() || message.records.iter().any(|record| self.trouble.contains(record));
        let table = if message.records.is_empty() { AROUND_MS } else { FLIGHT_MS };
        let took = table[rank.min(table.len() - 1)];
        let real = if wrong && message.api == "Produce" { took.max(TROUBLE_MS) } else { took };
        Some(((arrives - message.sent_us as f64) / real).max(0.2))
    }

    fn wait(&mut self, view: &ClusterView, clock_us: f64, real_ms: f64) -> f64 {
        let quiet = clock_us - self.quiet_since;
        let most = if quiet > LONG_US { WAIT_LONG } else { WAIT_MOST };
        let busy = view.nodes.iter().any(|node| matches!(node.doing, Activity::Processing { .. }));
        let most = if busy { most.min(220.0) } else { most };
        self.waiting = (self.waiting.max(WAIT_START) * (1.0 + real_ms / 60.0)).min(most);
        self.waiting
    }

    /// Notes records whose messages hang or were lost or are sent again, and the moment a record breaks.
    fn look_for_trouble(&mut self, view: &ClusterView) {
        for message in view.messages.iter().filter(|it| !it.quiet && it.fate != MessageFate::Flying) {
            // The first record in trouble is the story; what hangs behind it is not.
            if self.trouble.is_empty() {
                self.trouble.extend(message.records.iter().take(1).copied());
            }
        }
        for node in &view.nodes {
            if let (Activity::Retrying { records, .. }, NodeBody::Producer(_)) = (&node.doing, &node.body)
                && self.trouble.is_empty()
            {
                self.trouble.extend(records.iter().take(1).copied());
            }
        }
        let broken = view.ledger.rows.iter().filter(|row| row.status >= RowStatus::LogDuplicated).count();
        if broken > self.broken && self.broken < 2 {
            self.shock_ms = SHOCK_MS;
        }
        self.broken = broken;
    }
}
