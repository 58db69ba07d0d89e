//! What a person does to a run: done now, remembered, and done again from a link.
//!
//! Invariant: the inputs of [`Session::link`], done one after the other at their moments to the same scenario, lead to the
//! same state, to the last bit. Therefore each is remembered with its place among the events of its microsecond, if there
//! are others, and one that would strike nothing is refused.

use super::Session;
use crate::base::Time;
use crate::history::Replay;
use crate::node::MessageId;
use crate::scenario::format::What;
use crate::scenario::link::{Input, Link, Moment};
use crate::scenario::{Mistake, Trial, fault_now};
use crate::sim::Trigger;
use crate::view::{MessageFate, MessageView};
use std::rc::Rc;

/// So many events are run to get to the moments of a link; a link that lies further is opened at the last moment reached.
const MOST_EVENTS: u64 = 5_000_000;

/// An input that was done.
#[derive(Clone, PartialEq, Debug)]
pub struct Done {
    /// As a link has it.
    pub input: Input,
    /// The message that it struck, as it was then.
    pub message: Option<Rc<MessageView>>,
    /// On which branch.
    branch: usize,
    /// After how many events.
    after: u64,
}

fn mistake(place: &str, problem: String) -> Vec<Mistake> {
    vec![Mistake { place: place.to_owned(), problem }]
}

impl Session {
    /// Sets up what a link says: its scenario, the inputs at their moments, the cursor. What cannot be done is told; an error
    /// if the scenario itself is none.
    pub fn open(link: &Link) -> Result<(Session, Vec<Mistake>), Vec<Mistake>> {
        let mut session = Session::new(link.scenario.clone())?;
        let mut mistakes = Vec::new();
        for (nth, input) in link.inputs.iter().enumerate() {
            let done = session.go_to(input.at).and_then(|()| session.again(input));
            let at = format!("inputs[{nth}]");
            mistakes.extend(done.err().into_iter().flatten().map(|it| Mistake { place: at.clone(), ..it }));
        }
        let there = session.go_to(link.at.unwrap_or(Moment::at(0)));
        mistakes.extend(there.err().into_iter().flatten());
        Ok((session, mistakes))
    }

    /// What a link says that brings all this back: the scenario, what was done on the current branch, and the cursor.
    /// `at_us`: the moment that is shown, which may lie between the last event and the next. What was planned for later
    /// ([`Session::has_plans`]) is not in it.
    pub fn link(&mut self, at_us: u64) -> Link {
        let next = self.history.next_event_at();
        let at = Some(self.place_of(self.shown_at(at_us, next), next)).filter(|at| *at != Moment::at(0));
        let inputs = self.inputs().into_iter().map(|done| done.input).collect();
        Link { scenario: self.scenario().clone(), inputs, at }
    }

    /// What was done on the current branch, and on those it comes from before it split off, in order.
    pub fn inputs(&self) -> Vec<Done> {
        let branches = self.history.branches();
        let (mut branch, mut until, mut found) = (self.history.current(), u64::MAX, Vec::new());
        loop {
            let here = self.done.iter().filter(|done| done.branch == branch && done.after < until);
            found.splice(0..0, here.cloned());
            let Some((parent, fork, _)) = branches[branch].parent else { return found };
            (branch, until) = (parent, until.min(fork));
        }
    }

    /// Goes to a place between events, over a bounded number of them.
    fn go_to(&mut self, moment: Moment) -> Result<(), Vec<Mistake>> {
        let at = Time::from_origin_us(moment.us);
        let before = moment.nth.map_or(at, |_| Time(at.0.saturating_sub(1)));
        if self.history.cursor().now() > before {
            self.history.seek_time(before);
        }
        if !self.history.run_until(before, MOST_EVENTS) {
            let problem = format!("{} µs: further than {MOST_EVENTS} events of this run", moment.us);
            return Err(mistake("t", problem));
        }
        for _ in 0..moment.nth.unwrap_or(0) {
            if self.history.next_event_at().is_none_or(|next| next > at) {
                break;
            }
            self.history.step();
        }
        Ok(())
    }

    /// The place of the cursor for one who looks at `at`, before the next event.
    fn place_of(&mut self, at: Time, next: Option<Time>) -> Moment {
        let us = at.us_since_origin();
        if next.is_none_or(|next| next > at) {
            return Moment::at(us);
        }
        // Other events share this microsecond. How many of them came before?
        let here = self.position();
        self.history.seek_time(Time(at.0.saturating_sub(1)));
        let before = self.position().min(here);
        self.history.seek(here);
        Moment { us, nth: Some((here - before) as u32) }
    }

    fn again(&mut self, input: &Input) -> Result<(), Vec<Mistake>> {
        if let (Some(message), Some(kind)) = (input.message, &input.kind) {
            let found = self.in_flight(message).map_err(|mut wrong| {
                wrong.iter_mut().for_each(|it| it.problem = format!("{}: {DIFFERS}", it.problem));
                wrong
            })?;
            if kind_of(&found) != **kind {
                let problem =
                    format!("message {message} is a {}, and not the {kind} of the link: {DIFFERS}", kind_of(&found));
                return Err(mistake("message", problem));
            }
        }
        self.strike(&input.what, input.message, input.at.us)
    }

    /// A moment that is shown at the cursor: not before its event, not after the next one.
    pub(super) fn shown_at(&self, at_us: u64, next: Option<Time>) -> Time {
        let now = self.history.cursor().now();
        Time::from_origin_us(at_us).min(next.unwrap_or(Time::MAX)).max(now)
    }

    /// A message that can be struck at the cursor.
    fn in_flight(&mut self, message: u64) -> Result<Rc<MessageView>, Vec<Mistake>> {
        let view = self.view();
        let found = view.messages.iter().find(|it| it.id == message && it.fate != MessageFate::Lost);
        found.cloned().ok_or_else(|| {
            let problem = format!("message {message} is not on its way at {} µs", view.time_us);
            mistake("message", problem)
        })
    }

    /// Something goes wrong, at the cursor.
    pub(super) fn strike(&mut self, what: &What, message: Option<u64>, at_us: u64) -> Result<(), Vec<Mistake>> {
        if message.is_some() != matches!(what, What::Reset | What::Stall | What::Delay { .. }) {
            let problem = "reset, stall and delay strike a message; everything else a node or a link".to_owned();
            return Err(mistake("fault", problem));
        }
        // Without what was done here before: that is of another branch from now on.
        let mut alone = self.history.cursor().clone();
        let next = alone.step(&mut Vec::new()).then(|| alone.now());
        let at = self.shown_at(at_us, next);
        let deadline = self.history.cursor().trial().deadline();
        if at > deadline {
            let problem = format!("nothing happens after {} µs: \"until\" ends the run", deadline.us_since_origin());
            return Err(mistake("fault", problem));
        }
        let struck = message.map(|message| self.in_flight(message)).transpose()?;
        let fault_at = |at| {
            let trigger = message.map_or(Trigger::At(at), |message| Trigger::OnMessageId(MessageId(message), at));
            fault_now(what, trigger, self.history.cursor().trial().names())
        };
        let mut struck_run = self.history.cursor().clone();
        struck_run.inject(&fault_at(at)?);
        if !struck_run.step(&mut Vec::new()) {
            return Err(mistake("fault", "the run is over, and nothing is left that this could strike".to_owned()));
        }
        // A run that ends here has no later moment.
        let at = at.min(struck_run.now());
        let fault = fault_at(at)?;
        let kind = struck.as_deref().map(|message| Rc::from(kind_of(message)));
        let input = Input { at: self.place_of(at, next), what: what.clone(), message, kind };
        let after = self.position();
        self.history.inject(fault, at);
        let branch = self.history.current();
        self.done.push(Done { input, message: struck, branch, after });
        Ok(())
    }
}

/// Runs what a link says, to its end or to a moment. An error if any of it cannot be done.
pub fn replay(link: &Link, until: Option<Moment>) -> Result<Trial, Vec<Mistake>> {
    let from_start = Link { at: None, ..link.clone() };
    let (mut session, mistakes) = Session::open(&from_start)?;
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    match until {
        Some(moment) => session.go_to(moment)?,
        None => session.history.seek(u64::MAX),
    }
    Ok(session.history.cursor().trial().clone())
}

/// Why a link may not find what it names.
const DIFFERS: &str = "this engine, or the scenario, is not the one that the link was made with";

/// `ProduceResponse`.
fn kind_of(message: &MessageView) -> String {
    format!("{}{}", message.api, if message.response { "Response" } else { "Request" })
}
