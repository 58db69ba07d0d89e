//! The JavaScript API: a [`Lab`] runs a scenario, in a page, in a Web Worker, or in Node.
//!
//! Built by `.ci/publish.sh` into `delivery-lab.js`, `delivery-lab_bg.wasm` and `delivery-lab.d.ts`; the page does not hold it.
//!
//! Invariants: plain objects both ways. What goes in has the form of a scenario file; what comes out has names of its own
//! (`types/` is their contract), in the style of `lab run --json`, whatever the engine's structs are called. Nodes and
//! partitions are named, never numbered. What is wrong with outside data becomes an `Error` with `mistakes`, each with its
//! place; a refused call changes nothing. A bug in the engine becomes an `Error`, too, and ends the module ([`border`]).

pub mod border;
mod happening;
mod input;
mod log;
mod node;
mod picture;

use crate::scenario::{Mistake, library, link, to_json};
use crate::session::{Command, Session};
use border::{guard, plain};
use js_sys::{Array, Object, Reflect, Uint8Array};
use serde::Serialize;
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES_GIVEN: &str = include_str!("types/given.ts");
#[wasm_bindgen(typescript_custom_section)]
const TYPES_SHOWN: &str = include_str!("types/shown.ts");
#[wasm_bindgen(typescript_custom_section)]
const TYPES_EVENTS: &str = include_str!("types/events.ts");

/// Events at once, where a number of them has to be said.
const MANY: u32 = u32::MAX;
/// Later than all that can be run.
const NEVER_US: u64 = 1 << 53;

/// One run of a scenario: it can be run, moved in time, disturbed and looked at.
#[wasm_bindgen]
pub struct Lab {
    run: RefCell<Run>,
}

/// A session, and the moment between two events that was asked for last.
struct Run {
    session: Session,
    sought_us: u64,
}

impl Run {
    fn now_us(&self) -> u64 {
        self.session.shown_us(self.sought_us)
    }

    /// Moves the cursor, or disturbs.
    fn dispatch(&mut self, command: Command) -> Result<(), Vec<Mistake>> {
        let sought_us = if let Command::SeekTime(us) = command { us } else { 0 };
        self.session.dispatch(command)?;
        self.sought_us = sought_us;
        Ok(())
    }
}

impl Lab {
    /// Works with the run. Whoever is called here never calls back.
    fn with<T>(&self, work: impl FnOnce(&mut Run) -> Result<T, Vec<Mistake>>) -> Result<T, JsValue> {
        guard(|| work(&mut self.run.borrow_mut()))
    }

    /// The same, and gives what comes of it to JavaScript.
    fn show<T: Serialize>(&self, work: impl FnOnce(&mut Run) -> Result<T, Vec<Mistake>>) -> Result<JsValue, JsValue> {
        self.with(|run| Ok(plain(&work(run)?)))
    }
}

#[wasm_bindgen]
impl Lab {
    /// Sets a scenario up, at its beginning: an object or JSON text in the format of scenario files, an id of the library,
    /// or a link.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "Scenario | string")] scenario: JsValue,
        #[wasm_bindgen(unchecked_optional_param_type = "LabOptions")] options: JsValue,
    ) -> Result<Lab, JsValue> {
        guard(|| {
            let (session, sought_us) = input::session(&scenario, &options)?;
            Ok(Lab { run: RefCell::new(Run { session, sought_us }) })
        })
    }

    /// The scenarios of the library, in its order.
    #[wasm_bindgen(unchecked_return_type = "LibraryScenario[]")]
    pub fn library() -> Result<JsValue, JsValue> {
        guard(|| Ok(plain(&library::ids().filter_map(library::get).map(|it| to_json(&it)).collect::<Vec<_>>())))
    }

    /// The scenario that runs.
    #[wasm_bindgen(unchecked_return_type = "Scenario")]
    pub fn scenario(&self) -> Result<JsValue, JsValue> {
        self.show(|run| Ok(to_json(run.session.scenario())))
    }

    /// The present moment, in microseconds since the scenario began.
    #[wasm_bindgen(getter = timeUs, unchecked_return_type = "number")]
    pub fn time_us(&self) -> Result<JsValue, JsValue> {
        self.show(|run| Ok(run.now_us()))
    }

    /// Whether nothing is left to happen.
    #[wasm_bindgen(getter, unchecked_return_type = "boolean")]
    pub fn finished(&self) -> Result<JsValue, JsValue> {
        self.show(|run| Ok(run.session.next_us().is_none()))
    }

    /// Runs to the end, and gives the report.
    #[wasm_bindgen(unchecked_return_type = "Report")]
    pub fn run(&self) -> Result<JsValue, JsValue> {
        self.show(|run| {
            while run.session.next_us().is_some() {
                run.dispatch(Command::Advance { until_us: NEVER_US, max_events: MANY })?;
            }
            Ok(run.session.report())
        })
    }

    /// Goes so many events on (1 if not said), or back if negative. Gives how many it went: fewer at the end or the beginning.
    #[wasm_bindgen(unchecked_return_type = "number")]
    pub fn step(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] n: JsValue,
    ) -> Result<JsValue, JsValue> {
        self.show(|run| {
            let n = input::whole("step", &n, Some(1))?;
            let before = run.session.position();
            match u64::try_from(n) {
                Ok(on) => {
                    let max_events = u32::try_from(on).unwrap_or(MANY);
                    run.dispatch(Command::Advance { until_us: NEVER_US, max_events })?;
                }
                Err(_) => run.dispatch(Command::SeekEvent(before.saturating_sub(n.unsigned_abs())))?,
            }
            Ok(run.session.position() as i64 - before as i64)
        })
    }

    /// Goes to a moment, forwards or back: to the last event at or before it.
    pub fn seek(&self, #[wasm_bindgen(unchecked_param_type = "number")] us: JsValue) -> Result<(), JsValue> {
        self.with(|run| run.dispatch(Command::SeekTime(input::count("seek", &us, None)?)))
    }

    /// Makes something go wrong: now, or at the time, message or event that the fault names. In the past it opens a branch.
    /// The lab goes one event on: of a fault for now, to the fault.
    pub fn inject(
        &self,
        #[wasm_bindgen(unchecked_param_type = "InjectedFault")] fault: JsValue,
    ) -> Result<(), JsValue> {
        self.with(|run| {
            let now_us = run.now_us();
            let command = input::fault(&fault, &mut run.session, now_us)?;
            run.dispatch(command)
        })
    }

    /// The whole picture at the present moment.
    #[wasm_bindgen(unchecked_return_type = "View")]
    pub fn view(&self) -> Result<JsValue, JsValue> {
        self.show(|run| {
            let now_us = run.now_us();
            Ok(picture::View::of(&mut run.session, now_us))
        })
    }

    /// Every record's life up to the present moment, and what it comes to.
    #[wasm_bindgen(unchecked_return_type = "Ledger")]
    pub fn ledger(&self) -> Result<JsValue, JsValue> {
        self.show(|run| Ok(picture::Ledger::of(&mut run.session)))
    }

    /// What `lab run --json` prints, of the run up to the present moment.
    #[wasm_bindgen(unchecked_return_type = "Report")]
    pub fn report(&self) -> Result<JsValue, JsValue> {
        self.show(|run| Ok(run.session.report()))
    }

    /// What happened up to the present moment, oldest first.
    #[wasm_bindgen(unchecked_return_type = "LabEvent[]")]
    pub fn events(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "EventOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        self.show(|run| {
            let asked = input::events(&options)?;
            let found = run.session.events_from(asked.from, asked.limit, asked.messages);
            Ok(happening::all(&mut run.session, found.iter()))
        })
    }

    /// All that happened to one record up to the present moment, oldest first.
    #[wasm_bindgen(unchecked_return_type = "LabEvent[]")]
    pub fn story(&self, #[wasm_bindgen(unchecked_param_type = "number")] record: JsValue) -> Result<JsValue, JsValue> {
        self.show(|run| {
            let record = input::count("story", &record, None)?;
            let found = u32::try_from(record).map_or_else(|_| Vec::new(), |record| run.session.story(record));
            Ok(happening::all(&mut run.session, found.iter().map(|it| &**it)))
        })
    }

    /// One replica's log, as its broker has it.
    #[wasm_bindgen(unchecked_return_type = "Log")]
    pub fn log(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] broker: JsValue,
        #[wasm_bindgen(unchecked_param_type = "string")] partition: JsValue,
    ) -> Result<JsValue, JsValue> {
        self.show(|run| {
            let (broker, partition) = (input::text("broker", &broker)?, input::text("partition", &partition)?);
            log::Log::of(&mut run.session, &broker, &partition)
        })
    }

    /// The files of one replica, as Kafka would hold them.
    #[wasm_bindgen(unchecked_return_type = "LogFile[]")]
    pub fn files(
        &self,
        #[wasm_bindgen(unchecked_param_type = "string")] node: JsValue,
        #[wasm_bindgen(unchecked_param_type = "string")] partition: JsValue,
    ) -> Result<JsValue, JsValue> {
        let files = self.with(|run| {
            let (node, partition) = (input::text("node", &node)?, input::text("partition", &partition)?);
            log::files(&mut run.session, &node, &partition)
        })?;
        let object = |name: &str, bytes: &[u8]| -> Result<Object, JsValue> {
            let file = Object::new();
            Reflect::set(&file, &"name".into(), &name.into())?;
            Reflect::set(&file, &"bytes".into(), &Uint8Array::from(bytes))?;
            Ok(file)
        };
        let files: Result<Array, JsValue> = files.iter().map(|file| object(&file.name, &file.bytes)).collect();
        Ok(files?.into())
    }

    /// The branches of history: the scenario as written is number 0, and each fault in the past opened another.
    #[wasm_bindgen(unchecked_return_type = "Branch[]")]
    pub fn branches(&self) -> Result<JsValue, JsValue> {
        self.show(|run| Ok(run.session.branches()))
    }

    /// Goes to another branch, to the same moment or its end.
    #[wasm_bindgen(js_name = switchBranch)]
    pub fn switch_branch(
        &self,
        #[wasm_bindgen(unchecked_param_type = "number")] branch: JsValue,
    ) -> Result<(), JsValue> {
        self.with(|run| {
            let branch = input::count("branch", &branch, None)?;
            run.dispatch(Command::SwitchBranch(u32::try_from(branch).unwrap_or(u32::MAX)))
        })
    }

    /// The link to this run at this moment: what stands behind the page's address, `?scenario=…#…`. [`Lab`]'s constructor and
    /// `lab run` take it, too.
    #[wasm_bindgen(unchecked_return_type = "string")]
    pub fn link(&self) -> Result<JsValue, JsValue> {
        self.show(|run| {
            if run.session.has_plans() {
                let problem = "a fault that was injected for later is in no link: go to its moment and inject it there, or put \
                               it into the scenario's \"faults\"";
                return Err(vec![Mistake { place: "link".to_owned(), problem: problem.to_owned() }]);
            }
            let now_us = run.now_us();
            Ok(link::write(&run.session.link(now_us)).suffix())
        })
    }

    /// The hash of the engine's whole state, in 16 hex digits: the same scenario, seed and faults give the same, anywhere.
    #[wasm_bindgen(js_name = stateHash, unchecked_return_type = "string")]
    pub fn state_hash(&self) -> Result<JsValue, JsValue> {
        self.show(|run| Ok(run.session.state_hash()))
    }
}
