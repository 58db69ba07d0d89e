//! A client that speaks any of Kafka's APIs, by their definitions.

use crate::jar;
use crate::kafka::Kafka;
use crate::schema::Schema;
use crate::wire::{Topics, Translation, write_varint};
use crate::words::Words;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// Long enough for everything that is answered at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Kafka's message definitions, read as they are needed.
pub struct Schemas {
    jar: Vec<u8>,
    known: RefCell<BTreeMap<String, Rc<Schema>>>,
}

impl Schemas {
    pub fn new(jars: &Path) -> Schemas {
        Schemas { jar: jar::find(jars, "kafka-clients-"), known: RefCell::default() }
    }

    /// `ProduceRequest`, `ProduceResponse`, …
    pub fn get(&self, name: &str) -> Rc<Schema> {
        let read = || {
            let entry = format!("common/message/{name}.json");
            let text = jar::read_entry(&self.jar, &entry).unwrap_or_else(|| panic!("Kafka has no {name}"));
            Rc::new(Schema::parse(&String::from_utf8(text).expect("UTF-8")))
        };
        self.known.borrow_mut().entry(name.to_string()).or_insert_with(read).clone()
    }
}

/// A connection to one broker.
pub struct Connection {
    stream: TcpStream,
    correlation: i32,
    /// Why there was no response: `closed`, or `silent` if nothing came for long.
    pub end: &'static str,
}

/// What a request is called and how it is written.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub api: &'a str,
    pub version: i16,
    pub body: &'a Value,
    /// Before every group and transactional id.
    pub prefix: &'a str,
}

impl Connection {
    pub fn open(kafka: &Kafka, broker: i32) -> Connection {
        Connection { stream: kafka.connect(broker), correlation: 0, end: "open" }
    }

    pub fn send(&mut self, schemas: &Schemas, call: Call<'_>, words: &mut Words, topics: &Topics) {
        let name = format!("{}Request", call.api);
        let schema = schemas.get(&name);
        let translation = Translation::new(&schema, call, words, topics);
        self.correlation += 1;
        let mut out = Vec::new();
        out.extend(schema.api_key.to_be_bytes());
        out.extend(call.version.to_be_bytes());
        out.extend(self.correlation.to_be_bytes());
        let client_id = b"delivery-lab";
        out.extend((client_id.len() as i16).to_be_bytes());
        out.extend(client_id);
        if translation.flexible {
            write_varint(&mut out, 0);
        }
        translation.encode(&mut out, &schema.fields, call.body);
        let frame = [&(out.len() as u32).to_be_bytes()[..], &out].concat();
        // A broker may have closed the connection already; then there is no response either.
        let _ = self.stream.write_all(&frame);
    }

    /// The response; none if the connection was closed instead, or nothing came.
    pub fn receive(&mut self, schemas: &Schemas, call: Call<'_>, words: &mut Words, topics: &Topics) -> Option<Value> {
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let frame = self.frame()?;
        let schema = schemas.get(&format!("{}Response", call.api));
        let mut translation = Translation::new(&schema, call, words, topics);
        let mut input = &frame[4..];
        if translation.flexible && call.api != "ApiVersions" {
            assert_eq!(input[0], 0, "a response header without tagged fields");
            input = &input[1..];
        }
        let value = translation.decode(&mut input, &schema.fields);
        assert!(input.is_empty(), "{} v{}: {} bytes too many", call.api, call.version, input.len());
        Some(value)
    }

    fn frame(&mut self) -> Option<Vec<u8>> {
        let mut size = [0; 4];
        self.read(&mut size)?;
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        self.read(&mut frame)?;
        Some(frame)
    }

    fn read(&mut self, into: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(into) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                self.end = "closed";
                None
            }
            Err(_) => {
                self.end = "silent";
                None
            }
        }
    }

    /// Whether something came within that time.
    pub fn has_response(&mut self, wait: Duration) -> bool {
        self.stream.set_read_timeout(Some(wait)).expect("a socket");
        matches!(self.stream.peek(&mut [0; 1]), Ok(1))
    }
}
