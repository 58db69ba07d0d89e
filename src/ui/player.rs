//! Playing: so much virtual time for so much real time, a bounded piece of work each frame.

use super::dom;
use super::lab::session::{Command, Session};
use super::pace::Pacer;
use delivery_lab::view::ClusterView;

/// How fast it plays: virtual seconds per real second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speed {
    /// By what there is to see.
    Auto,
    /// Always the same ratio.
    Fixed(u32, u32),
}

/// What the page offers.
pub const SPEEDS: [Speed; 11] = [
    Speed::Auto,
    Speed::Fixed(1, 500),
    Speed::Fixed(1, 200),
    Speed::Fixed(1, 50),
    Speed::Fixed(1, 20),
    Speed::Fixed(1, 10),
    Speed::Fixed(1, 5),
    Speed::Fixed(1, 2),
    Speed::Fixed(1, 1),
    Speed::Fixed(5, 1),
    Speed::Fixed(10, 1),
];

/// Real milliseconds of work that a frame may use.
const BUDGET_MS: f64 = 6.0;
/// Real milliseconds of work at once when someone wants to see the end.
const RUSH_MS: f64 = 60.0;
/// The automatic speed looks at the picture this often (virtual microseconds).
const LOOK_US: f64 = 400.0;
/// A frame that took longer than this does not make up for it.
const LONGEST_FRAME_MS: f64 = 50.0;
/// Those who want no motion get this many steps a second, each at most so far.
const DISCRETE_STEP_MS: f64 = 700.0;

/// The player.
pub struct Player {
    /// Whether it runs.
    pub playing: bool,
    /// How fast.
    pub speed: Speed,
    /// The moment shown, in microseconds: between two events it flows on.
    pub clock: f64,
    /// Whether it hurries to the end, whatever the speed.
    rush: bool,
    last: Option<f64>,
    saved: f64,
    pacer: Pacer,
}

impl Default for Player {
    fn default() -> Self {
        Player {
            playing: false,
            speed: Speed::Auto,
            clock: 0.0,
            rush: false,
            last: None,
            saved: 0.0,
            pacer: Pacer::default(),
        }
    }
}

impl Player {
    /// A run begins anew.
    pub fn reset(&mut self) {
        *self = Player { speed: self.speed, ..Player::default() };
    }

    /// Starts and stops.
    pub fn set_playing(&mut self, playing: bool) {
        self.playing = playing;
        self.rush = false;
        self.last = None;
        self.saved = 0.0;
    }

    /// To the end of the run as fast as the frames allow; the first piece is done at once. True if that was all.
    pub fn hurry(&mut self, session: &mut Session) -> bool {
        self.set_playing(true);
        self.rush = true;
        self.rush_on(session, RUSH_MS)
    }

    fn rush_on(&mut self, session: &mut Session, budget_ms: f64) -> bool {
        let end = dom::now_ms() + budget_ms;
        while session.next_us().is_some() && dom::now_ms() < end {
            if session.dispatch(Command::Advance { until_us: u64::MAX / 4, max_events: 2_000 }).is_err() {
                break;
            }
        }
        let (cursor, _) = session.span_us();
        self.clock = cursor as f64;
        let done = session.next_us().is_none();
        if done {
            self.set_playing(false);
        }
        done
    }

    /// The cursor was moved by someone else.
    pub fn moved_to(&mut self, us: u64) {
        self.clock = us as f64;
    }

    /// Plays one frame. True if there is something new to see.
    pub fn frame(&mut self, session: &mut Session, now_ms: f64) -> bool {
        if self.rush {
            self.rush_on(session, BUDGET_MS);
            return true;
        }
        let passed = self.last.map_or(0.0, |last| (now_ms - last).clamp(0.0, LONGEST_FRAME_MS));
        self.last = Some(now_ms);
        if dom::reduced_motion() {
            self.saved += passed;
            if self.saved < DISCRETE_STEP_MS {
                return false;
            }
            self.saved = 0.0;
            self.next_sight(session);
            return true;
        }
        let end = dom::now_ms() + BUDGET_MS;
        let mut left = passed;
        let mut view = session.view();
        while left > 0.01 && !view.finished && dom::now_ms() < end {
            let used = match self.speed {
                Speed::Fixed(virtual_s, real_s) => {
                    let pace = 1_000.0 * f64::from(virtual_s) / f64::from(real_s);
                    self.go(session, self.clock + left * pace, end);
                    left
                }
                Speed::Auto => {
                    let pace = self.pacer.pace(&view, self.clock, left.min(4.0));
                    let slice = left.min(LOOK_US / pace).max(0.02);
                    self.go(session, self.clock + slice * pace, end);
                    slice
                }
            };
            left -= used;
            view = session.view();
        }
        if view.finished {
            self.set_playing(false);
            self.clock = self.clock.max(view.time_us as f64);
        }
        true
    }

    /// Runs the engine to a moment, or as far as the frame allows.
    fn go(&mut self, session: &mut Session, until: f64, end: f64) {
        let until_us = until as u64;
        loop {
            let before = session.position();
            if session.dispatch(Command::Advance { until_us, max_events: 256 }).is_err() {
                return;
            }
            match session.next_us() {
                // The run ends with its last event.
                None => {
                    let (cursor, _) = session.span_us();
                    self.clock = self.clock.max(cursor as f64);
                    return;
                }
                Some(next) if next > until_us || session.position() == before => {
                    self.clock = until;
                    return;
                }
                Some(_) => {}
            }
            if dom::now_ms() >= end {
                let (cursor, _) = session.span_us();
                self.clock = (cursor as f64).clamp(self.clock, until.max(self.clock));
                return;
            }
        }
    }

    /// On to the next moment at which the picture differs in something worth seeing.
    fn next_sight(&mut self, session: &mut Session) {
        let start = session.view();
        let shown = |view: &ClusterView| {
            let messages: Vec<u64> = view.messages.iter().filter(|it| !it.quiet).map(|it| it.id).collect();
            (messages, view.ledger.clone())
        };
        let before = shown(&start);
        for _ in 0..400 {
            if session.dispatch(Command::Step).is_err() {
                break;
            }
            let view = session.view();
            if view.finished {
                self.set_playing(false);
                break;
            }
            if shown(&view) != before {
                break;
            }
        }
        self.clock = session.view().time_us as f64;
    }
}
