//! What the page shows: one struct, changed by one reducer.
//!
//! Invariant: everything here is a snapshot. The session is not in here, so a reducer can never run the engine.

use super::embed::Figure;
use super::i18n::Lang;
use super::lines::Line;
use super::player::Speed;
use super::why::Why;
use delivery_lab::scenario::{Mistake, Scenario};
use delivery_lab::session::Done;
use delivery_lab::view::{BranchView, ClusterView, TimelineView};
use std::rc::Rc;
use yew::prelude::Reducible;

/// What is selected, for the inspector.
#[derive(Clone, PartialEq, Debug)]
pub enum Selection {
    /// Nothing.
    None,
    /// A node.
    Node(u16),
    /// One broker's replica.
    Partition(u16, Rc<str>),
    /// A batch in it, by its base offset.
    Batch(u16, Rc<str>, i64),
    /// A message.
    Message(u64),
    /// A transactional id.
    Transaction(Rc<str>),
    /// A group.
    Group(Rc<str>),
}

/// What a popover is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// A node.
    Node(u16),
    /// The link between two nodes.
    Link(u16, u16),
    /// A message.
    Message(u64),
}

/// An open popover.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Popover {
    /// About what.
    pub target: Target,
    /// Where, in the window.
    pub at: (f64, f64),
}

/// The tabs below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tab {
    /// What happened, as text.
    Events,
    /// What is selected, in full.
    Inspector,
}

/// Light or dark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Theme {
    /// As the system says.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Its word in links and storage.
    pub const fn word(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The theme of that word.
    pub fn from_word(word: &str) -> Option<Theme> {
        [Theme::Auto, Theme::Light, Theme::Dark].into_iter().find(|theme| theme.word() == word)
    }

    /// The one after it.
    pub const fn next(self) -> Theme {
        match self {
            Theme::Auto => Theme::Light,
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Auto,
        }
    }
}

/// Something the page has to tell.
#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    /// An input was refused: what, and where and why.
    Refused { what: String, mistakes: Rc<[Mistake]> },
    /// These settings were changed: node, key, old, new.
    Changed(Rc<[(String, String, String, String)]>),
}

/// What the session shows after something changed.
#[derive(Clone)]
pub struct Shot {
    /// The picture.
    pub view: Rc<ClusterView>,
    /// The moment, between events too.
    pub clock_us: u64,
    /// The end of what has been run.
    pub end_us: u64,
    /// Whether it plays, and how fast.
    pub playing: bool,
    /// How fast it plays.
    pub speed: Speed,
    /// The rest, when it was looked up again.
    pub rest: Option<Rest>,
}

/// What is looked up less often than each frame.
#[derive(Clone)]
pub struct Rest {
    /// The lanes.
    pub timeline: Rc<TimelineView>,
    /// Newest first.
    pub lines: Rc<Vec<Line>>,
    /// All branches.
    pub branches: Rc<Vec<BranchView>>,
    /// The story that is open.
    pub story: Option<(u32, Rc<Vec<Line>>)>,
    /// Why the first broken record broke.
    pub reason: Option<Why>,
    /// People's faults.
    pub inputs: Rc<Vec<Done>>,
}

/// Everything.
#[derive(Clone)]
pub struct State {
    pub lang: Lang,
    pub theme: Theme,
    pub embed: bool,
    /// How it is embedded, if it is.
    pub figure: Figure,
    pub scenario: Rc<Scenario>,
    /// As the library or the file has it, before anyone changed a setting.
    pub written: Rc<Scenario>,
    pub view: Rc<ClusterView>,
    pub clock_us: u64,
    pub end_us: u64,
    pub playing: bool,
    pub speed: Speed,
    pub rest: Rest,
    pub selection: Selection,
    pub popover: Option<Popover>,
    pub tab: Tab,
    pub traffic: bool,
    pub window_us: u64,
    pub notices: Rc<Vec<Notice>>,
    pub help: bool,
    /// The dialog that makes links is open.
    pub sharing: bool,
    /// Only these records in the ledger: a word for the list, and the list.
    pub filter: Option<Filter>,
    /// Something was played already: the invitation has done its work.
    pub touched: bool,
    /// The end of the present run, once it was seen.
    pub ended: Option<Rc<ClusterView>>,
    /// Earlier runs of this scenario to the end, with other settings.
    pub runs: Rc<Vec<(Rc<Scenario>, Rc<ClusterView>)>>,
}

/// A list of the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter {
    Lost,
    Duplicated,
    Reordered,
    AbortedRead,
}

/// What can happen to it.
pub enum Action {
    Shot(Box<Shot>),
    Loaded { scenario: Rc<Scenario>, written: Option<Rc<Scenario>> },
    Select(Selection),
    Open(Popover),
    ClosePopover,
    Tab(Tab),
    Traffic(bool),
    Window(u64),
    Lang(Lang),
    Theme(Theme),
    Notice(Notice),
    Dismiss(usize),
    Help(bool),
    Share(bool),
    Filter(Option<Filter>),
}

impl Reducible for State {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        let mut state = (*self).clone();
        match action {
            Action::Shot(shot) => state.show(*shot),
            Action::Loaded { scenario, written } => state.loaded(scenario, written),
            Action::Select(selection) => {
                state.tab = if selection == Selection::None { state.tab } else { Tab::Inspector };
                state.selection = selection;
            }
            Action::Open(popover) => state.popover = Some(popover),
            Action::ClosePopover if self.popover.is_none() => return self,
            Action::ClosePopover => state.popover = None,
            Action::Tab(tab) => state.tab = tab,
            Action::Traffic(traffic) => state.traffic = traffic,
            Action::Window(window) => state.window_us = window,
            Action::Lang(lang) => state.lang = lang,
            Action::Theme(theme) => state.theme = theme,
            Action::Notice(notice) => {
                let notices = Rc::make_mut(&mut state.notices);
                // One message of a kind: the newest says all.
                notices.retain(|it| std::mem::discriminant(it) != std::mem::discriminant(&notice));
                notices.push(notice);
            }
            Action::Dismiss(index) => {
                let notices = Rc::make_mut(&mut state.notices);
                if index < notices.len() {
                    notices.remove(index);
                }
            }
            Action::Help(help) => state.help = help,
            Action::Share(sharing) => state.sharing = sharing,
            Action::Filter(filter) => state.filter = filter,
        }
        Rc::new(state)
    }
}

impl State {
    fn show(&mut self, shot: Shot) {
        self.touched |= shot.playing || shot.clock_us > 0;
        self.view = shot.view;
        if self.view.finished {
            self.ended = Some(self.view.clone());
        }
        self.clock_us = shot.clock_us;
        self.end_us = shot.end_us;
        self.playing = shot.playing;
        self.speed = shot.speed;
        if let Some(rest) = shot.rest {
            self.rest = rest;
        }
    }

    fn loaded(&mut self, scenario: Rc<Scenario>, written: Option<Rc<Scenario>>) {
        let runs = Rc::make_mut(&mut self.runs);
        runs.retain(|(other, _)| *other != scenario);
        if let Some(ended) = self.ended.take().filter(|_| self.scenario != scenario) {
            runs.retain(|(other, _)| *other != self.scenario);
            runs.push((self.scenario.clone(), ended));
        }
        if let Some(written) = written {
            runs.clear();
            self.written = written;
            self.touched = false;
            self.notices = Rc::default();
            self.selection = Selection::None;
        }
        self.scenario = scenario;
        self.popover = None;
        self.sharing = false;
        self.filter = None;
        if !matches!(self.selection, Selection::Node(id) if usize::from(id) < self.view.nodes.len()) {
            self.selection = Selection::None;
        }
    }
}
