//! The handle to the running session: what components call, and what feeds the reducer.
//!
//! Invariants: the session is borrowed only inside a method here, never across a dispatch to the reducer; a command
//! that the session refuses becomes a notice and changes nothing.

use super::address::Address;
use super::dom;
use super::i18n::Lang;
use super::lines::{Line, names};
use super::panic_card;
use super::player::{Player, Speed};
use super::state::{Action, Notice, Rest, Shot, State};
use super::why::{Why, accused, why};
use delivery_lab::scenario::format::What;
use delivery_lab::scenario::link::{Link, Opened};
use delivery_lab::scenario::{Mistake, Scenario};
use delivery_lab::view::{BranchView, ClusterView, LedgerRow, TimelineView};
use session::{BatchView, Command, RecordView, Session};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use yew::prelude::UseReducerDispatcher;

/// The door.
pub mod session {
    pub use delivery_lab::session::{BatchView, Command, EventView, RecordView, Session};
}

/// How many events the list holds.
const LINES: usize = 400;
/// How many are searched.
const SEARCHED: usize = 20_000;
/// How often the lists are looked up while it plays (real milliseconds).
const LISTS_EVERY_MS: f64 = 160.0;

/// The handle. It is the same for the whole life of the page.
#[derive(Clone)]
pub struct Lab(Rc<Inner>);

impl PartialEq for Lab {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

struct Inner {
    session: RefCell<Session>,
    player: RefCell<Player>,
    dispatcher: RefCell<Option<UseReducerDispatcher<State>>>,
    address: Address,
    story: Cell<Option<u32>>,
    traffic: Cell<bool>,
    /// What the event list is searched for, in lower case.
    filter: RefCell<(String, Lang)>,
    window: Cell<(u64, u64)>,
    width: Cell<u64>,
    lists_at: Cell<f64>,
    timeline: RefCell<Option<Rc<TimelineView>>>,
    reason: RefCell<Option<(Rc<LedgerRow>, Option<Why>)>>,
}

impl Lab {
    /// Sets a scenario up.
    #[cfg(test)]
    pub fn new(scenario: Scenario) -> Result<Lab, Vec<Mistake>> {
        Lab::open(&Link::from(scenario)).map(|(lab, _)| lab)
    }

    /// Sets up what a link says, and tells what of it cannot be.
    pub fn open(link: &Link) -> Result<(Lab, Vec<Mistake>), Vec<Mistake>> {
        panic_card::remember(link);
        let (session, mistakes) = Session::open(link)?;
        let mut player = Player::default();
        player.moved_to(link.at.map_or(0, |at| at.us));
        let lab = Lab(Rc::new(Inner {
            session: RefCell::new(session),
            player: RefCell::new(player),
            dispatcher: RefCell::default(),
            address: Address::default(),
            story: Cell::new(None),
            traffic: Cell::new(false),
            filter: RefCell::new((String::new(), Lang::En)),
            window: Cell::new((0, DEFAULT_WINDOW_US)),
            width: Cell::new(DEFAULT_WINDOW_US),
            lists_at: Cell::new(0.0),
            timeline: RefCell::default(),
            reason: RefCell::default(),
        }));
        let clock = lab.shot(false).clock_us;
        lab.turn_page(clock);
        Ok((lab, mistakes))
    }

    /// Where changes go from now on.
    pub fn attach(&self, dispatcher: UseReducerDispatcher<State>) {
        *self.0.dispatcher.borrow_mut() = Some(dispatcher);
    }

    /// Tells the reducer.
    pub fn tell(&self, action: Action) {
        if let Some(dispatcher) = &*self.0.dispatcher.borrow() {
            dispatcher.dispatch(action);
        }
    }

    /// Another scenario. `written` if it is as someone wrote it, not as someone changed a setting. False if refused.
    pub fn load(&self, what: &str, scenario: Scenario, written: bool) -> bool {
        let refused = self.try_load(scenario, written);
        refused.map_err(|mistakes| self.refuse(what, mistakes)).is_ok()
    }

    /// The same, for whoever has a better place to say why not.
    pub fn try_load(&self, scenario: Scenario, written: bool) -> Result<(), Vec<Mistake>> {
        self.keep_address();
        self.0.session.borrow_mut().dispatch(Command::Load(Box::new(scenario.clone())))?;
        let scenario = Rc::new(scenario);
        to_start(&mut self.0.session.borrow_mut());
        self.fresh();
        self.tell(Action::Loaded { scenario: scenario.clone(), written: written.then_some(scenario) });
        self.publish(true);
        self.changed(true);
        Ok(())
    }

    /// All that a link (or a file) says; what of it cannot be is told. False if the scenario is refused.
    pub fn follow(&self, what: &str, opened: Opened) -> bool {
        let scenario = opened.link.scenario.clone();
        let done = self.try_follow(opened);
        done.unwrap_or_else(|mistakes| self.refuse(what, mistakes));
        scenario == *self.0.session.borrow().scenario()
    }

    /// The same, for whoever has a better place to say what of it cannot be.
    pub fn try_follow(&self, opened: Opened) -> Result<(), Vec<Mistake>> {
        let Opened { link, base, mut mistakes } = opened;
        let (session, more) = Session::open(&link)?;
        *self.0.session.borrow_mut() = session;
        mistakes.extend(more);
        self.fresh();
        self.0.player.borrow_mut().moved_to(link.at.map_or(0, |at| at.us));
        self.tell(Action::Loaded { scenario: Rc::new(link.scenario), written: Some(Rc::new(base)) });
        self.publish(true);
        panic_card::remember(&self.link());
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    /// The same scenario from its beginning.
    pub fn restart(&self) {
        self.keep_address();
        let forgets = !self.0.session.borrow().inputs().is_empty();
        if self.0.session.borrow_mut().dispatch(Command::Restart).is_ok() {
            to_start(&mut self.0.session.borrow_mut());
            self.fresh();
            self.publish(true);
            self.changed(forgets);
        }
    }

    fn fresh(&self) {
        self.0.player.borrow_mut().reset();
        self.0.story.set(None);
        self.0.window.set((0, self.0.width.get()));
    }

    /// Moves in time (step, seek, another branch); playing ends.
    pub fn go(&self, command: Command) {
        self.0.player.borrow_mut().set_playing(false);
        let target = if let Command::SeekTime(us) = command { Some(us) } else { None };
        let other = matches!(command, Command::SwitchBranch(_));
        let done = self.0.session.borrow_mut().dispatch(command);
        if let Err(mistakes) = done {
            self.refuse("", mistakes);
            return;
        }
        let view = self.0.session.borrow_mut().view();
        let at = target.map_or(view.time_us, |us| us.max(view.time_us));
        self.0.player.borrow_mut().moved_to(at);
        self.publish(true);
        if other {
            self.changed(false);
        } else {
            self.moved();
        }
    }

    /// Something goes wrong, here and now: a node or link if `message` is none.
    pub fn fault(&self, what: What, message: Option<u64>) {
        let at_us = self.0.player.borrow().clock as u64;
        let command = match message {
            Some(message) => Command::MessageFault { message, what, at_us },
            None => Command::Fault { what, at_us },
        };
        let done = self.0.session.borrow_mut().dispatch(command);
        if let Err(mistakes) = done {
            self.refuse("", mistakes);
            return;
        }
        self.publish(true);
        self.changed(false);
    }

    /// What brings all this back: the scenario, what was done on this branch, and the moment that is shown.
    pub fn link(&self) -> Link {
        let clock = self.0.player.borrow().clock.max(0.0) as u64;
        self.0.session.borrow_mut().link(clock)
    }

    /// The address follows from now on.
    pub fn follow_address(&self) {
        self.0.address.begin(self.link());
    }

    /// The address says something by itself: "back" was pressed, or someone wrote into it.
    pub fn arrive(&self, what: &str, opened: Opened) {
        let now = self.link();
        if now.scenario == opened.link.scenario && now.inputs == opened.link.inputs && opened.mistakes.is_empty() {
            self.go(Command::SeekTime(opened.link.at.map_or(0, |at| at.us)));
        } else if !self.follow(what, opened) {
            return;
        }
        self.0.address.said(self.link());
    }

    /// A file, or a text that says what a file does.
    pub fn open_file(&self, what: &str, link: Link) -> bool {
        self.keep_address();
        let done = self.follow(what, link.into());
        self.changed(true);
        done
    }

    /// The run is another one. `step` if "back" is to undo it.
    fn changed(&self, step: bool) {
        let link = self.link();
        panic_card::remember(&link);
        if step {
            self.0.address.say(link, true);
        } else {
            self.moved();
        }
    }

    /// The moment is another one: the address says so in a while, if it stands still.
    fn moved(&self) {
        if !self.0.player.borrow().playing {
            let lab = self.clone();
            self.0.address.later(move || lab.keep_address());
        }
    }

    /// Says in the address what it does not say yet, before something else takes its place.
    fn keep_address(&self) {
        if self.0.address.is_due() && !self.0.player.borrow().playing {
            self.0.address.say(self.link(), false);
        }
    }

    fn refuse(&self, what: &str, mistakes: Vec<Mistake>) {
        self.tell(Action::Notice(Notice::Refused { what: what.to_owned(), mistakes: mistakes.into() }));
    }

    /// Starts or stops playing; from the end it starts again.
    pub fn play(&self, playing: bool) {
        let at_end = self.0.session.borrow_mut().view().finished;
        if playing && at_end {
            let branches = self.0.session.borrow().branches().len();
            let inputs = !self.0.session.borrow().inputs().is_empty();
            if inputs || branches > 1 {
                // A restart would forget the branches: only go back.
                to_start(&mut self.0.session.borrow_mut());
                self.0.player.borrow_mut().reset();
                self.0.window.set((0, self.0.width.get()));
            } else {
                self.restart();
            }
        }
        self.0.player.borrow_mut().set_playing(playing);
        self.publish(true);
        self.moved();
    }

    /// Stops playing, if it plays.
    pub fn play_stops(&self) {
        if self.playing() {
            self.play(false);
        }
    }

    /// Whether it plays.
    pub fn playing(&self) -> bool {
        self.0.player.borrow().playing
    }

    /// Plays if it stands, stops if it plays.
    pub fn toggle(&self) {
        self.play(!self.playing());
    }

    /// Sets the speed.
    pub fn set_speed(&self, speed: Speed) {
        self.0.player.borrow_mut().speed = speed;
        self.publish(false);
    }

    /// One animation frame.
    pub fn frame(&self, now_ms: f64) {
        let changed = self.0.player.borrow_mut().frame(&mut self.0.session.borrow_mut(), now_ms);
        let ended = !self.0.player.borrow().playing;
        if changed {
            let due = ended || now_ms - self.0.lists_at.get() > LISTS_EVERY_MS;
            if due {
                self.0.lists_at.set(now_ms);
            }
            self.publish(due);
            if ended {
                self.moved();
            }
        }
    }

    /// To the end of the run, in pieces that the next frames continue if need be.
    pub fn to_end(&self) {
        self.0.player.borrow_mut().hurry(&mut self.0.session.borrow_mut());
        self.publish(true);
        self.moved();
    }

    /// Which record's story is open.
    pub fn open_story(&self, record: Option<u32>) {
        self.0.story.set(record);
        self.publish(true);
    }

    /// Whether lists show message traffic.
    pub fn show_traffic(&self, traffic: bool) {
        self.0.traffic.set(traffic);
        self.tell(Action::Traffic(traffic));
        self.publish(true);
    }

    /// Searches the events for a text.
    pub fn search(&self, text: &str, lang: Lang) {
        *self.0.filter.borrow_mut() = (text.to_ascii_lowercase(), lang);
        self.publish(true);
    }

    /// How much time the lanes show.
    pub fn set_window(&self, width: u64) {
        self.0.width.set(width);
        let clock = self.0.player.borrow().clock as u64;
        let from = clock.saturating_sub(width / 2);
        self.0.window.set((from, from + width));
        self.tell(Action::Window(width));
        self.publish(true);
    }

    /// The scenario that runs.
    pub fn scenario(&self) -> Scenario {
        self.0.session.borrow().scenario().clone()
    }

    /// The batch that holds an offset.
    pub fn batch(&self, broker: u16, partition: &str, offset: i64) -> Option<BatchView> {
        self.0.session.borrow().batch(broker, partition, offset)
    }

    /// The newest records of each key of a coordinator's log, perhaps of one group only.
    pub fn coordinator_records(&self, node: u16, partition: &str, group: Option<&str>, most: usize) -> Vec<RecordView> {
        self.0.session.borrow().coordinator_records(node, partition, group, most)
    }

    /// Lets the browser save one file of a partition, or all of them in an archive.
    pub fn download(&self, node: u16, name: &str, partition: &str, file: Option<&str>) {
        let session = self.0.session.borrow();
        match file {
            Some(file) => {
                let files = session.files(node, partition).unwrap_or_default();
                files.iter().filter(|it| it.name == file).for_each(|it| dom::download(&it.name, &it.bytes));
            }
            None => {
                let archive = session.archive(node, partition).unwrap_or_default();
                dom::download(&format!("{name}-{partition}.tar"), &archive);
            }
        }
    }

    /// The hash of the state at the cursor.
    pub fn state_hash(&self) -> String {
        self.0.session.borrow().state_hash()
    }

    /// The picture, for the first rendering.
    pub fn shot(&self, with_lists: bool) -> Shot {
        let mut session = self.0.session.borrow_mut();
        let view = session.view();
        let player = self.0.player.borrow();
        let clock_us = (player.clock.max(0.0) as u64).max(view.time_us);
        let (_, end_us) = session.span_us();
        drop(player);
        let rest = with_lists.then(|| self.rest(&mut session, &view, clock_us));
        let player = self.0.player.borrow();
        Shot { view, clock_us, end_us: end_us.max(clock_us), playing: player.playing, speed: player.speed, rest }
    }

    fn rest(&self, session: &mut Session, view: &ClusterView, clock_us: u64) -> Rest {
        let names = names(view);
        let (from, to) = self.turn_page(clock_us);
        let mut timeline = session.timeline(from, to);
        let mut last = self.0.timeline.borrow_mut();
        match &*last {
            Some(old) if **old == *timeline => timeline = old.clone(),
            _ => *last = Some(timeline.clone()),
        }
        let lines = Rc::new(self.lines(session, &names));
        let story = self.0.story.get().map(|record| (record, Rc::new(dress_story(session, record, &names))));
        let branches: Rc<Vec<BranchView>> = Rc::new(session.branches());
        let reason = self.reason(view, |record| dress_story(session, record, &names));
        let inputs = Rc::new(session.inputs());
        Rest { timeline, lines, branches, story, reason, inputs }
    }

    /// The event list: the newest, or those that are searched for.
    fn lines(&self, session: &mut Session, names: &Rc<[Rc<str>]>) -> Vec<Line> {
        let (filter, lang) = &*self.0.filter.borrow();
        let depth = if filter.is_empty() { LINES } else { SEARCHED };
        let events = session.events(depth, self.0.traffic.get());
        let mut lines = dress(session, events, names);
        if !filter.is_empty() {
            lines.retain(|line| line.says(lang.texts(), filter));
            lines.truncate(LINES);
        }
        lines
    }

    /// Why the first broken record broke; looked up again only when its row in the ledger changed.
    fn reason(&self, view: &ClusterView, story: impl FnOnce(u32) -> Vec<Line>) -> Option<Why> {
        let record = *accused(view)?.1.first()?;
        let row = view.ledger.rows.get(record as usize)?;
        let mut known = self.0.reason.borrow_mut();
        match &*known {
            Some((old, reason)) if old == row => reason.clone(),
            _ => known.insert((row.clone(), why(row, &story(record)))).1.clone(),
        }
    }

    /// The lanes' window: it turns like a page when the cursor leaves it, so that it can be read.
    fn turn_page(&self, clock_us: u64) -> (u64, u64) {
        let (from, to) = self.0.window.get();
        let width = self.0.width.get();
        if clock_us >= from && clock_us <= to.saturating_sub(width / 20) && to - from == width {
            return (from, to);
        }
        let from = clock_us.saturating_sub(width / 2);
        self.0.window.set((from, from + width));
        (from, from + width)
    }

    fn publish(&self, with_lists: bool) {
        let shot = self.shot(with_lists);
        self.tell(Action::Shot(Box::new(shot)));
    }
}

/// A run is shown from the moment on when its processes have started.
fn to_start(session: &mut Session) {
    session.dispatch(Command::SeekTime(0)).expect("invariant: every run has its beginning");
}

fn dress(session: &Session, list: Vec<Rc<session::EventView>>, names: &Rc<[Rc<str>]>) -> Vec<Line> {
    list.into_iter().map(|event| Line::new(event, session, names)).collect()
}

fn dress_story(session: &mut Session, record: u32, names: &Rc<[Rc<str>]>) -> Vec<Line> {
    let events = session.story(record);
    dress(session, events, names)
}

/// How much time the lanes show at first.
pub const DEFAULT_WINDOW_US: u64 = 1_000_000;
