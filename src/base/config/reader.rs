//! From properties to a struct: each field by its table entry, every error kept.

use super::definition::{ConfigKey, Value};
use super::values::Setting;
use super::{ConfigException, ConfigNote, NoteKind, Properties};
use crate::base::Duration;
use std::fmt::Display;

/// Reads one set of properties against one table.
/// Settings that are checked as Kafka checks them, but that nothing acts upon yet.
const NOT_YET: &[&str] = &[
    "connections.max.idle.ms",
    "controller.quorum.append.linger.ms",
    "file.delete.delay.ms",
    "flush.ms",
    "group.instance.id",
    "heartbeat.interval.ms",
    "log.flush.interval.ms",
    "log.flush.offset.checkpoint.interval.ms",
    "log.flush.scheduler.interval.ms",
    "log.roll.jitter.",
    "log.segment.delete.delay.ms",
    "max.poll.interval.ms",
    "offsets.retention.",
    "partition.assignment.strategy",
    "segment.jitter.ms",
    "session.timeout.ms",
];

pub(super) struct Reader<'a> {
    properties: &'a Properties,
    pub errors: Vec<ConfigException>,
    pub notes: Vec<ConfigNote>,
}

impl<'a> Reader<'a> {
    /// A reader that has already refused the keys that neither `keys` nor `ignored` know. An ignored name that ends in
    /// a dot stands for all keys that begin with it.
    pub fn new(properties: &'a Properties, keys: &'static [ConfigKey], ignored: &[&str]) -> Self {
        let mut reader = Reader { properties, errors: Vec::new(), notes: Vec::new() };
        for (name, value) in properties {
            let is_ignored = |entry: &&str| if entry.ends_with('.') { name.starts_with(*entry) } else { name == entry };
            if keys.iter().any(|key| key.name == name) {
                if NOT_YET.iter().any(is_ignored) {
                    reader.note(name, NoteKind::NoEffect);
                }
                continue;
            }
            if ignored.iter().any(is_ignored) {
                reader.note(name, NoteKind::NoEffect);
            } else {
                let known = keys.iter().map(|key| key.name);
                reader.errors.push(ConfigException::unknown_key(name, value, known));
            }
        }
        reader
    }

    /// The value of `key`: as set, else `inherited`, else the table's default. A refused text counts as not set, so
    /// that the conditions that follow can still be judged.
    pub fn field<T: Setting>(&mut self, key: &ConfigKey, inherited: Option<T>) -> T {
        let set = self.properties.get(key.name).map(|text| key.read(text));
        match set {
            Some(Ok(value)) => return T::from_value(key, &value),
            Some(Err(error)) => self.errors.push(error),
            None => {}
        }
        inherited.unwrap_or_else(|| default_of(key))
    }

    /// Whether the user set `key`, whatever to.
    pub fn is_set(&self, key: &str) -> bool {
        self.properties.contains_key(key)
    }

    /// The text the user set `key` to.
    pub fn text(&self, key: &str) -> &'a str {
        self.properties.get(key).map_or("", String::as_str)
    }

    /// Refuses the setting `key`, now `value`, unless `condition` holds.
    pub fn require(&mut self, condition: bool, key: &str, value: impl Display, message: impl FnOnce() -> String) {
        if !condition {
            self.errors.push(ConfigException::new(key, &value.to_string(), message()));
        }
    }

    /// Records are never compressed in the lab, so a codec (`set`) is refused where Kafka would accept it.
    pub fn refuse_codec(&mut self, set: bool) {
        let key = "compression.type";
        self.require(!set, key, self.text(key), || "Records are not compressed in the lab.".to_owned());
    }

    /// What Kafka does to each client's backoffs, given as start and maximum. Returns the reconnect backoff's maximum:
    /// who sets only its start gets one that does not grow.
    pub fn fix_backoffs(&mut self, retry: [Duration; 2], reconnect: [Duration; 2]) -> Duration {
        if retry[0] > retry[1] {
            self.note("retry.backoff.ms", NoteKind::BackoffIsConstant { at: retry[1] });
        }
        if !self.is_set("reconnect.backoff.ms") || self.is_set("reconnect.backoff.max.ms") {
            return reconnect[1];
        }
        self.note("reconnect.backoff.ms", NoteKind::BackoffIsConstant { at: reconnect[0] });
        reconnect[0]
    }

    /// Records a silent effect.
    pub fn note(&mut self, key: &str, kind: NoteKind) {
        self.notes.push(ConfigNote { key: key.to_owned(), kind });
    }

    /// `config`, unless something was wrong.
    pub fn finish<T>(self, config: T) -> Result<T, Vec<ConfigException>> {
        if self.errors.is_empty() { Ok(config) } else { Err(self.errors) }
    }
}

/// The value of a setting nobody set.
pub(super) fn default_of<T: Setting>(key: &ConfigKey) -> T {
    if key.default.is_empty() {
        return T::from_value(key, &Value::Unset);
    }
    match key.read(key.default) {
        Ok(value) => T::from_value(key, &value),
        Err(error) => panic!("invariant: a default in the table is valid, yet {error}"),
    }
}

/// Turns a table of settings into `KEYS` and a struct with a field for each. A row is
/// `field: Type = default, kind, check, importance, "help"`; the key is the field with underscores turned to dots. Rows after
/// `@later` came when there were runs already: they are in the state hash only where they are not at their default.
macro_rules! settings {
    (@text unset) => { "" };
    (@text $default:literal) => { $default };
    (@help unset, $doc:literal) => { concat!($doc, " Not set by default.") };
    (@help $default:literal, $doc:literal) => { concat!($doc, " Default: `", $default, "`.") };
    (@key $field:ident, $default:tt, $kind:expr, $check:expr, $importance:ident, $doc:literal) => {
        ConfigKey {
            name: {
                const FIELD: &str = stringify!($field);
                const NAME: [u8; FIELD.len()] = $crate::base::config::reader::dotted(FIELD);
                match std::str::from_utf8(&NAME) {
                    Ok(name) => name,
                    Err(_) => panic!("a field's name is ASCII"),
                }
            },
            kind: $kind,
            default: settings!(@text $default),
            check: $check,
            importance: Importance::$importance,
            doc: $doc,
        }
    };
    ($(#[$meta:meta])* $name:ident {
        $($field:ident: $type:ty = $default:tt, $kind:expr, $check:expr, $importance:ident, $doc:literal;)+
        $(@later $($field2:ident: $type2:ty = $default2:tt, $kind2:expr, $check2:expr, $importance2:ident, $doc2:literal;)+)?
    }) => {
        pub(super) const KEYS: &[ConfigKey] = &[
            $(settings!(@key $field, $default, $kind, $check, $importance, $doc),)+
            $($(settings!(@key $field2, $default2, $kind2, $check2, $importance2, $doc2),)+)?
        ];

        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct $name {
            $(#[doc = settings!(@help $default, $doc)] pub $field: $type,)+
            $($(#[doc = settings!(@help $default2, $doc2)] pub $field2: $type2,)+)?
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                $(self.$field.hash(state);)+
                $($(
                    // The default adds nothing.
                    let default = settings!(@key $field2, $default2, $kind2, $check2, $importance2, $doc2);
                    if self.$field2 != $crate::base::config::reader::default_of::<$type2>(&default) {
                        (default.name, &self.$field2).hash(state);
                    }
                )+)?
            }
        }

        impl $name {
            /// The fields as the table and the properties have them, what is not set taken from `inherited`.
            fn read(reader: &mut Reader<'_>, inherited: Option<&Self>) -> Self {
                let mut keys = KEYS.iter();
                let mut next = move || keys.next().expect("invariant: the table has a row for each field");
                $name {
                    $($field: reader.field(next(), inherited.map(|config| config.$field.clone())),)+
                    $($($field2: reader.field(next(), inherited.map(|config| config.$field2.clone())),)+)?
                }
            }
        }

        /// The table's defaults, before any condition between settings.
        impl Default for $name {
            fn default() -> Self {
                Self::read(&mut Reader::new(&Properties::new(), KEYS, &[]), None)
            }
        }
    };
}
pub(super) use settings;

/// `field` with dots for underscores.
pub(super) const fn dotted<const N: usize>(field: &str) -> [u8; N] {
    let bytes = field.as_bytes();
    let mut name = [0; N];
    let mut i = 0;
    while i < N {
        name[i] = if bytes[i] == b'_' { b'.' } else { bytes[i] };
        i += 1;
    }
    name
}
