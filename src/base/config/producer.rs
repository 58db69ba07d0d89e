//! A producer's settings. In Kafka: `ProducerConfig`, and `configureDeliveryTimeout` of `KafkaProducer`.

use super::definition::Check::{Any, AtLeast, Between, NonEmpty};
use super::definition::{BOOL, ConfigKey, ConfigKind, INT, INT_MS, Importance, LONG, LONG_MS, TEXT};
use super::reader::{Reader, settings};
use super::{Acks, CompressionType, ConfigException, ConfigNote, NoteKind, Properties};
use crate::base::Duration;
use std::rc::Rc;

settings! {
    /// A producer's settings, with what Kafka silently changes already changed.
    ProducerConfig {
        acks: Acks = "all", ConfigKind::Choice(Acks::NAMES), Any, Low,
            "Who must have a record before it counts as written: 0 nobody, 1 the leader, all every in-sync replica.";
        enable_idempotence: bool = "true", BOOL, Any, Low,
            "Numbers batches so that the broker stores a retried one only once, in order.";
        retries: u32 = "2147483647", INT, Between(0, 2_147_483_647), High,
            "How often a failed send is repeated before delivery.timeout.ms ends it anyway.";
        delivery_timeout_ms: Duration = "120000", INT_MS, AtLeast(0), Medium,
            "How long after send() a record is either acknowledged or reported as failed.";
        request_timeout_ms: Duration = "30000", INT_MS, AtLeast(0), Medium,
            "How long an answer may take before the request is given up and retried.";
        linger_ms: Duration = "5", LONG_MS, AtLeast(0), Medium,
            "How long a batch that is not full waits for more records.";
        batch_size: u32 = "16384", INT, AtLeast(0), Medium,
            "At how many bytes a batch of one partition is full. 0 sends every record alone.";
        max_in_flight_requests_per_connection: u32 = "5", INT, AtLeast(1), Low,
            "How many requests may be unanswered per broker. Without idempotence, more than 1 lets retries reorder.";
        retry_backoff_ms: Duration = "100", LONG_MS, AtLeast(0), Low,
            "The pause before the first retry; it doubles with each further one.";
        retry_backoff_max_ms: Duration = "1000", LONG_MS, AtLeast(0), Low,
            "The longest pause before a retry.";
        transactional_id: Option<Rc<str>> = unset, TEXT, NonEmpty, Low,
            "Makes sends atomic: the name under which a producer resumes or fences its former self.";
        transaction_timeout_ms: Duration = "60000", INT_MS, AtLeast(0), Low,
            "How long a transaction may stay open before the coordinator aborts it.";
        max_block_ms: Duration = "60000", LONG_MS, AtLeast(0), Medium,
            "How long send() and the transaction calls wait for metadata, memory or an answer.";
        buffer_memory: u64 = "33554432", LONG, AtLeast(0), High,
            "How many bytes may wait to be sent before send() blocks.";
        max_request_size: u32 = "1048576", INT, AtLeast(0), Medium,
            "The largest request, and so the largest record, in bytes before compression.";
        compression_type: CompressionType = "none", ConfigKind::Choice(CompressionType::NAMES), Any, High,
            "How batches are compressed.";
        partitioner_ignore_keys: bool = "false", BOOL, Any, Medium,
            "Spreads records over partitions without looking at their keys.";
        partitioner_adaptive_partitioning_enable: bool = "true", BOOL, Any, Low,
            "Gives records without a key preferably to partitions whose broker is fast.";
        partitioner_availability_timeout_ms: Duration = "0", LONG_MS, AtLeast(0), Low,
            "Avoids partitions whose broker took nothing for this long. 0 never avoids any.";
        metadata_max_age_ms: Duration = "300000", LONG_MS, AtLeast(0), Low,
            "After how long metadata is refreshed although nothing seems wrong.";
        metadata_max_idle_ms: Duration = "300000", LONG_MS, AtLeast(5_000), Low,
            "For how long metadata of a topic that gets no records is kept.";
        reconnect_backoff_ms: Duration = "50", LONG_MS, AtLeast(0), Low,
            "The pause before reconnecting to a broker; it doubles with each failure.";
        reconnect_backoff_max_ms: Duration = "1000", LONG_MS, AtLeast(0), Low,
            "The longest pause before reconnecting.";
        socket_connection_setup_timeout_ms: Duration = "10000", LONG_MS, AtLeast(0), Medium,
            "How long a connection may take to be established; it doubles with each failure.";
        socket_connection_setup_timeout_max_ms: Duration = "30000", LONG_MS, AtLeast(0), Medium,
            "The longest a connection may take to be established.";
        connections_max_idle_ms: Option<Duration> = "540000", LONG_MS, AtLeast(-1), Medium,
            "After how long an unused connection is closed. -1 never.";
        client_id: Option<Rc<str>> = unset, TEXT, Any, Medium,
            "The name under which brokers know this client.";
    }
}

/// Keys of a real producer that mean nothing here.
pub(super) const IGNORED: &[&str] = &[
    "auto.include.jmx.reporter",
    "bootstrap.servers",
    "client.dns.lookup",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "config.providers",
    "enable.metrics.push",
    "interceptor.classes",
    "key.serializer",
    "metadata.recovery.",
    "metric.",
    "metrics.",
    "partitioner.class",
    "receive.buffer.bytes",
    "sasl.",
    "security.",
    "send.buffer.bytes",
    "ssl.",
    "transaction.two.phase.commit.enable",
    "value.serializer",
];

/// How many requests in flight the broker can still tell apart.
const MAX_IN_FLIGHT_FOR_IDEMPOTENCE: u32 = 5;

/// Every setting of a producer, the important ones first.
pub fn producer_keys() -> &'static [ConfigKey] {
    KEYS
}

impl ProducerConfig {
    /// Reads a producer's settings, or says everything that is wrong with them.
    pub fn parse(properties: &Properties) -> Result<Self, Vec<ConfigException>> {
        let (config, reader) = Self::build(properties);
        reader.finish(config)
    }

    /// What these settings do without saying so.
    pub fn notes(properties: &Properties) -> Vec<ConfigNote> {
        Self::build(properties).1.notes
    }

    fn build(properties: &Properties) -> (Self, Reader<'_>) {
        let mut reader = Reader::new(properties, KEYS, IGNORED);
        let mut config = Self::read(&mut reader, None);
        config.reconnect_backoff_max_ms = reader.fix_backoffs(
            [config.retry_backoff_ms, config.retry_backoff_max_ms],
            [config.reconnect_backoff_ms, config.reconnect_backoff_max_ms],
        );
        reader.refuse_codec(config.compression_type != CompressionType::None);
        config.fix_idempotence(&mut reader);
        config.fix_delivery_timeout(&mut reader);
        config.client_id = config.client_id.filter(|id| !id.is_empty());
        (config, reader)
    }

    /// Idempotence needs acks=all, retries and few requests in flight. Whoever asked for it by name gets an error where
    /// one is missing; else the first two switch it off, while too many requests in flight are an error even then.
    fn fix_idempotence(&mut self, reader: &mut Reader<'_>) {
        let asked_for = reader.is_set("enable.idempotence");
        let mut ruled_out = Vec::new();
        if self.enable_idempotence {
            if self.retries == 0 {
                reader.require(!asked_for, "retries", 0, || {
                    "Must set retries to non-zero when using the idempotent producer.".to_owned()
                });
                ruled_out.push("retries");
            }
            if self.acks != Acks::All {
                reader.require(!asked_for, "acks", self.acks, || {
                    "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee \
                     idempotence."
                        .to_owned()
                });
                ruled_out.push("acks");
            }
            let in_flight = self.max_in_flight_requests_per_connection;
            let key = "max.in.flight.requests.per.connection";
            reader.require(in_flight <= MAX_IN_FLIGHT_FOR_IDEMPOTENCE, key, in_flight, || {
                format!("To use the idempotent producer, {key} must be set to at most 5. Current value is {in_flight}.")
            });
            if !asked_for {
                for because in &ruled_out {
                    reader.note("enable.idempotence", NoteKind::IdempotenceDisabled { because });
                }
            }
            self.enable_idempotence = ruled_out.is_empty();
        }
        // Where idempotence was refused above, this would only repeat it.
        let refused = asked_for && !ruled_out.is_empty();
        if !self.enable_idempotence && !refused && reader.is_set("transactional.id") {
            reader.require(false, "transactional.id", reader.text("transactional.id"), || {
                "Cannot set a transactional.id without also enabling idempotence.".to_owned()
            });
        }
    }

    /// A record may wait for linger and for one full request before its time is up.
    fn fix_delivery_timeout(&mut self, reader: &mut Reader<'_>) {
        let int_max = Duration::from_millis(2_147_483_647);
        let least = (self.linger_ms.min(int_max) + self.request_timeout_ms).min(int_max);
        if self.delivery_timeout_ms >= least {
            return;
        }
        let key = "delivery.timeout.ms";
        if reader.is_set(key) {
            reader.require(false, key, self.delivery_timeout_ms.as_millis(), || {
                "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms".to_owned()
            });
        } else {
            self.delivery_timeout_ms = least;
            reader.note(key, NoteKind::DeliveryTimeoutRaised { to: least });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Checked, props};
    use super::*;

    fn check(settings: &[(&str, &str)]) -> Checked<ProducerConfig> {
        let properties = props(settings);
        Checked { result: ProducerConfig::parse(&properties), notes: ProducerConfig::notes(&properties) }
    }

    const NO_IDEMPOTENCE: &str = "Cannot set a transactional.id without also enabling idempotence.";

    #[test]
    fn defaults_are_silent() {
        assert_eq!(check(&[]).ok(), ProducerConfig::default());
        assert_eq!(check(&[]).notes, []);
    }

    #[test]
    fn idempotence_asked_for_by_name_insists() {
        check(&[("enable.idempotence", "true"), ("acks", "1")]).refused(&["Must set acks to all in order to use the \
            idempotent producer. Otherwise we cannot guarantee idempotence."]);
        check(&[("enable.idempotence", "true"), ("retries", "0")])
            .refused(&["Must set retries to non-zero when using the idempotent producer."]);
        check(&[("enable.idempotence", "true"), ("max.in.flight.requests.per.connection", "6")]).refused(&[
            "To use the idempotent producer, max.in.flight.requests.per.connection must be set to at most 5. Current \
             value is 6.",
        ]);
        assert!(check(&[("enable.idempotence", "true"), ("acks", "-1")]).ok().enable_idempotence);
    }

    #[test]
    fn idempotence_by_default_gives_way_silently() {
        for (key, value) in [("acks", "0"), ("acks", "1"), ("retries", "0")] {
            let checked = check(&[(key, value)]);
            let kind = NoteKind::IdempotenceDisabled { because: key };
            assert_eq!(checked.notes, [ConfigNote { key: "enable.idempotence".into(), kind }]);
            assert!(!checked.ok().enable_idempotence, "{key}={value}");
        }
    }

    #[test]
    fn too_many_in_flight_is_an_error_even_by_default() {
        let six = ("max.in.flight.requests.per.connection", "6");
        let message = "To use the idempotent producer, max.in.flight.requests.per.connection must be set to at most 5. \
                       Current value is 6.";
        check(&[six]).refused(&[message]);
        // Also where acks=1 switches idempotence off a moment later: Kafka looks before it switches.
        check(&[six, ("acks", "1")]).refused(&[message]);
        assert_eq!(check(&[six, ("enable.idempotence", "false")]).ok().max_in_flight_requests_per_connection, 6);
    }

    #[test]
    fn transactions_need_idempotence() {
        check(&[("transactional.id", "t"), ("acks", "1")]).refused(&[NO_IDEMPOTENCE]);
        check(&[("transactional.id", "t"), ("enable.idempotence", "false")]).refused(&[NO_IDEMPOTENCE]);
        assert_eq!(check(&[("transactional.id", "t")]).ok().transactional_id.as_deref(), Some("t"));
        check(&[("transactional.id", "")])
            .refused(&["Invalid value  for configuration transactional.id: String must be non-empty"]);
    }

    #[test]
    fn delivery_timeout_has_room_for_a_request() {
        let message = "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms";
        check(&[("delivery.timeout.ms", "30000")]).refused(&[message]);
        assert_eq!(check(&[("delivery.timeout.ms", "30005")]).notes, []);

        let raised = check(&[("request.timeout.ms", "200000")]);
        let to = Duration::from_millis(200_005);
        let kind = NoteKind::DeliveryTimeoutRaised { to };
        assert_eq!(raised.notes, [ConfigNote { key: "delivery.timeout.ms".into(), kind }]);
        assert_eq!(
            raised.notes[0].to_string(),
            "delivery.timeout.ms is raised to 200005 ms: linger.ms + request.timeout.ms."
        );
        assert_eq!(raised.ok().delivery_timeout_ms, to);

        let longest = check(&[("linger.ms", "9223372036854775807")]).ok();
        assert_eq!(longest.delivery_timeout_ms, Duration::from_millis(2_147_483_647));
    }

    #[test]
    fn backoffs_that_do_not_grow_are_noted() {
        let checked = check(&[("reconnect.backoff.ms", "2000"), ("retry.backoff.ms", "5000")]);
        let constant = |key: &str, ms| ConfigNote {
            key: key.into(),
            kind: NoteKind::BackoffIsConstant { at: Duration::from_millis(ms) },
        };
        assert_eq!(checked.notes, [constant("retry.backoff.ms", 1_000), constant("reconnect.backoff.ms", 2_000)]);
        assert_eq!(checked.ok().reconnect_backoff_max_ms, Duration::from_millis(2_000));
    }

    #[test]
    fn every_error_is_told_at_once() {
        check(&[
            ("ack", "1"),
            ("acks", "2"),
            ("linger.ms", "-1"),
            ("retries", "many"),
            ("partitioner.ignore.keys", "no"),
        ])
        .refused(&[
            "Unknown configuration 'ack': did you mean 'acks'?",
            "Invalid value 2 for configuration acks: String must be one of: all, -1, 0, 1",
            "Invalid value many for configuration retries: Not a number of type INT",
            "Invalid value -1 for configuration linger.ms: Value must be at least 0",
            "Invalid value no for configuration partitioner.ignore.keys: Expected value to be either true or false",
        ]);
    }

    #[test]
    fn a_file_of_a_real_producer_can_be_pasted() {
        let checked = check(&[("bootstrap.servers", "localhost:9092"), ("sasl.mechanism", "PLAIN"), ("acks", "all")]);
        assert!(checked.notes.iter().all(|note| note.kind == NoteKind::NoEffect));
        assert_eq!(checked.notes.len(), 2);
        assert_eq!(checked.ok(), ProducerConfig::default());
    }
}
