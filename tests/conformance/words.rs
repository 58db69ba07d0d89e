//! What a number of a script stands for, and what stands for a number in a golden: time, session ids, producer ids.
//!
//! Invariant: nothing that differs from one recording to the next, and nothing of the recording machine, is in a golden.

use serde_json::Value;

/// A sequence's own time begins a day before the sequence, so that no clock is mistaken for it.
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// A clock is `now` within this.
const NEAR_MS: i64 = 600_000;

/// UUIDs of members that make up their own.
const MADE_UP: &[(&str, &str)] =
    &[("U1", "deliveryLabMember01AAA"), ("U2", "deliveryLabMember02AAA"), ("U3", "deliveryLabMember03AAA")];

/// The names of one run of one sequence.
pub struct Words {
    /// `T`.
    pub base: i64,
    sessions: Vec<i64>,
    producers: Vec<i64>,
    members: Vec<String>,
    /// Of the brokers 0, 1, 2, as they are registered.
    pub broker_epochs: Vec<i64>,
}

impl Words {
    pub fn new(now_ms: i64) -> Words {
        let base = (now_ms - DAY_MS) / 1_000 * 1_000;
        Words { base, sessions: Vec::new(), producers: Vec::new(), members: Vec::new(), broker_epochs: Vec::new() }
    }

    /// The number that a script means.
    pub fn number(&self, value: &Value, now_ms: i64) -> i64 {
        let Some(text) = value.as_str() else {
            return value.as_i64().unwrap_or_else(|| panic!("a number: {value}"));
        };
        let named =
            |list: &[i64], at: &str| at.parse::<usize>().ok().and_then(|at| list.get(at.wrapping_sub(1)).copied());
        let offset = |rest: &str| match rest {
            "" => Some(0),
            _ => rest.strip_prefix('+').unwrap_or(rest).parse::<i64>().ok(),
        };
        let number = text
            .strip_prefix("now")
            .and_then(|rest| Some(now_ms + offset(rest)?))
            .or_else(|| Some(self.base + offset(text.strip_prefix('T')?)?))
            .or_else(|| self.broker_epoch_named(text.strip_prefix('E')?))
            .or_else(|| named(&self.sessions, text.strip_prefix('S')?))
            .or_else(|| named(&self.producers, text.strip_prefix('P')?));
        number.unwrap_or_else(|| panic!("what is {text}?"))
    }

    /// `E0`, `E0-1`: of broker 0, and one that is past.
    fn broker_epoch_named(&self, text: &str) -> Option<i64> {
        let (id, offset) = text.split_at_checked(1)?;
        let epoch = self.broker_epochs.get(id.parse::<usize>().ok()?)?;
        Some(epoch + if offset.is_empty() { 0 } else { offset.parse::<i64>().ok()? })
    }

    pub fn broker_epoch(&self, epoch: i64) -> Value {
        let broker = self.broker_epochs.iter().position(|known| *known == epoch);
        match broker {
            Some(id) => Value::from(format!("E{id}")),
            None => Value::from(if epoch < 0 { "none" } else { "another" }),
        }
    }

    /// The text that a script means: members have names.
    pub fn text<'a>(&'a self, text: &'a str) -> &'a str {
        let made_up = |text: &str| MADE_UP.iter().find(|(name, _)| *name == text).map(|(_, id)| *id);
        let at = text.strip_prefix('M').and_then(|at| at.parse::<usize>().ok());
        let known = at.and_then(|at| self.members.get(at.wrapping_sub(1)).map(String::as_str));
        known.or_else(|| made_up(text)).unwrap_or(text)
    }

    /// A timestamp, as a golden has it.
    pub fn time(&self, ms: i64, now_ms: i64) -> Value {
        let from_base = ms.wrapping_sub(self.base);
        match from_base {
            _ if ms < 0 => Value::from(ms),
            0 => Value::from("T"),
            _ if from_base.abs() < DAY_MS / 2 => Value::from(format!("T{from_base:+}")),
            _ if (ms - now_ms).abs() < NEAR_MS => Value::from("now"),
            _ if (-DAY_MS / 2..2 * DAY_MS).contains(&(ms - now_ms)) => {
                let hours = (ms - now_ms + HOUR_MS / 2).div_euclid(HOUR_MS) * HOUR_MS;
                Value::from(format!("now{hours:+}"))
            }
            _ => Value::from(ms),
        }
    }

    /// A message that names members.
    pub fn without_made_up(&self, text: String) -> String {
        MADE_UP.iter().fold(text, |text, (name, id)| text.replace(id, name))
    }

    /// A message for people, without the timestamps in it.
    pub fn message(text: &str) -> String {
        let mut out = String::new();
        let mut digits = String::new();
        for c in text.chars().chain(['\n']) {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            out += if digits.len() > 10 { "…" } else { &digits };
            digits.clear();
            out.push(c);
        }
        out.trim_end().to_string()
    }

    pub fn session(&mut self, id: i64) -> Value {
        if id == 0 { Value::from(0) } else { Value::from(format!("S{}", place(&mut self.sessions, id))) }
    }

    /// A producer id that a broker gave.
    pub fn granted_producer(&mut self, id: i64) -> Value {
        if id < 0 { Value::from(id) } else { Value::from(format!("P{}", place(&mut self.producers, id))) }
    }

    /// A producer id: one that a broker gave, or one of the script.
    pub fn producer(&self, id: i64) -> Value {
        let at = self.producers.iter().position(|known| *known == id);
        at.map_or(Value::from(id), |at| Value::from(format!("P{}", at + 1)))
    }

    pub fn member(&mut self, id: &str) -> Value {
        if let Some((name, _)) = MADE_UP.iter().find(|(_, own)| *own == id) {
            return Value::from(*name);
        }
        // A coordinator's own are UUIDs, or end in one; others are what the script said.
        let made_up = id.len() == 22 || id.len() > 36 && id.rsplit('-').map(str::len).take(5).eq([12, 4, 4, 4, 8]);
        if made_up { Value::from(format!("M{}", place(&mut self.members, id.to_string()))) } else { Value::from(id) }
    }
}

fn place<T: PartialEq>(list: &mut Vec<T>, it: T) -> usize {
    if let Some(at) = list.iter().position(|known| *known == it) {
        return at + 1;
    }
    list.push(it);
    list.len()
}

#[test]
fn numbers_and_times_are_the_inverse_of_each_other() {
    let now = 1_800_000_123_456;
    let mut words = Words::new(now);
    for text in ["T", "T+5", "T-7", "now", "now+7200000", "now+86400000"] {
        let text = Value::from(text);
        assert_eq!(words.time(words.number(&text, now), now + 500), text);
    }
    assert_eq!(words.session(77), "S1");
    assert_eq!((words.session(78), words.session(77)), ("S2".into(), "S1".into()));
    assert_eq!(words.number(&"S2".into(), now), 78);
    words.broker_epochs = vec![10, 20, 30];
    assert_eq!((words.number(&"E1".into(), now), words.number(&"E2-1".into(), now)), (20, 29));
    assert_eq!(words.text("U2"), "deliveryLabMember02AAA");
    assert_eq!(words.member("deliveryLabMember02AAA"), "U2");
    assert_eq!(Words::message("at 1800000123456 of 3"), "at … of 3");
}
