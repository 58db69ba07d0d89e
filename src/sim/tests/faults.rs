//! Processes and clicks.

use super::super::engine::Process;
use super::super::fault::{Action, EventKind, Fault, Trigger};
use super::probe::{A, B, Do, Heard, Lab, REQUEST, ms};
use crate::base::{Duration, Time};
use crate::node::{Event, FaultMark, MessageId};
use Heard::{Gone, Request, Response};

const CRASH: Action = Action::Crash { node: B, restart_after: None };

#[test]
fn when_a_process_dies_its_peers_see_the_connection_break() {
    let lab = Lab::new(&[(1, Do::Send(B, 1))]).fault(10, CRASH).run(60);
    assert_eq!(lab.heard(A), [(3, Response(1)), (11, Gone(B))]);
}

#[test]
fn a_request_to_a_dead_process_is_refused_after_a_round_trip() {
    let lab = Lab::new(&[(20, Do::Send(B, 1))]).fault(10, CRASH).run(60);
    assert_eq!(lab.heard(A), [(22, Gone(B))]);
    assert_eq!(lab.heard(B), []);
}

#[test]
fn what_is_on_its_way_to_a_process_dies_with_it_even_if_it_restarts_at_once() {
    let crash = Action::Crash { node: B, restart_after: Some(Duration(1)) };
    let lab = Lab::new(&[(10, Do::Send(B, 1)), (20, Do::Send(B, 2))]).fault(10, crash);
    // The fault was planned first, so it goes first: the request that leaves at the same moment meets the new process.
    let lab = lab.run(60);
    assert_eq!(lab.heard(B), [(11, Request(1, 0)), (21, Request(2, 0))]);

    let crash = Action::Crash { node: B, restart_after: Some(Duration(1)) };
    let lab =
        Lab::new(&[(1, Do::Send(B, 0)), (10, Do::Send(B, 1)), (20, Do::Send(B, 2))]).on(REQUEST, 2, crash).run(60);
    assert_eq!(lab.heard(B), [(2, Request(0, 0)), (21, Request(2, 1))]);
    assert_eq!(lab.heard(A), [(3, Response(0)), (11, Gone(B)), (22, Response(2))]);
}

#[test]
fn a_machine_without_power_is_silent_and_knows_nothing_afterwards() {
    let loss = Action::PowerLoss { node: B, restart_after: Some(Duration::from_millis(20)) };
    let script = [(1, Do::Send(B, 1)), (12, Do::Send(B, 2)), (50, Do::Send(B, 3))];
    let lab = Lab::new(&script).fault(10, loss).run(90);
    assert_eq!(lab.heard(B), [(2, Request(1, 0)), (51, Request(3, 1))]);
    // Request 2 was repeated by TCP until the machine, back again, refused it: 30 + 1 + 1.
    assert_eq!(lab.heard(A), [(3, Response(1)), (32, Gone(B)), (52, Response(3))]);
}

#[test]
fn a_connection_attempt_outlasts_a_power_loss() {
    let loss = Action::PowerLoss { node: B, restart_after: Some(Duration::from_millis(20)) };
    let lab = Lab::new(&[(12, Do::Send(B, 1))]).fault(10, loss).run(90);
    assert_eq!(lab.heard(B), [(31, Request(1, 0))]);
    assert_eq!(lab.heard(A), [(32, Response(1))]);
}

#[test]
fn a_paused_process_hears_everything_later_and_in_order() {
    let pause = Action::Pause { node: B, duration: Some(Duration::from_millis(10)) };
    let script: Vec<(u64, Do)> = (1..6).map(|number| (u64::from(number) * 2, Do::Send(B, number))).collect();
    let lab = Lab::new(&script).fault(4, pause).run(60);
    let expected = [(3, 1), (14, 2), (14, 3), (14, 4), (14, 5)].map(|(at, number)| (at, Request(number, 0)));
    assert_eq!(lab.heard(B), expected);
}

#[test]
fn a_paused_process_that_dies_never_hears_what_waited() {
    let pause = Action::Pause { node: B, duration: Some(Duration::from_millis(10)) };
    let crash = Action::Crash { node: B, restart_after: Some(Duration::from_millis(20)) };
    let lab = Lab::new(&[(1, Do::Send(B, 1))]).fault(0, pause).fault(5, crash).run(60);
    assert_eq!(lab.heard(B), []);
    assert_eq!(lab.heard(A), [(6, Gone(B))]);
    assert_eq!(lab.0.pending, 0);
}

#[test]
fn a_restart_by_hand_forestalls_the_planned_one() {
    let crash = |after| Action::Crash { node: B, restart_after: Some(Duration::from_millis(after)) };
    let lab = Lab::new(&[]).fault(1, crash(50)).fault(5, Action::Restart { node: B }).fault(10, CRASH).run(90);
    assert_eq!(lab.0.slot(B).process, Process::Crashed, "the restart planned for 51 was for another death");
}

#[test]
fn a_click_on_a_message_under_way_meets_it() {
    let mut lab = Lab::new(&[(1, Do::Send(B, 1)), (20, Do::Send(B, 2))]);
    while lab.0.post.iter().count() == 0 {
        assert!(lab.0.step_before(Time::MAX));
    }
    let trigger = Trigger::OnMessageId(MessageId(1), Time::ZERO);
    lab.0.inject(Fault { id: 1, trigger, action: Action::Reset });
    assert!(lab.0.step_before(Time::MAX));
    assert_eq!(lab.0.recorded[0].event, Event::Fault(FaultMark::Reset(MessageId(1))));
    lab.run_on(60);
    assert_eq!(lab.heard(B), [(2, Gone(A)), (21, Request(2, 1))]);
    // Too late: it arrived long ago.
    let trigger = Trigger::OnMessageId(MessageId(2), Time::ZERO);
    lab.0.inject(Fault { id: 2, trigger, action: Action::Reset });
    lab.run_on(90);
    assert_eq!(lab.heard(A), [(2, Gone(B)), (22, Response(2))]);
}

#[test]
fn a_click_delays_what_is_behind_too() {
    let mut lab = Lab::new(&[(10, Do::Send(B, 1)), (10, Do::Send(B, 2))]);
    while lab.0.post.iter().count() < 2 {
        assert!(lab.0.step_before(Time::MAX));
    }
    let action = Action::Delay { by: Duration::from_millis(5) };
    lab.0.inject(Fault { id: 1, trigger: Trigger::OnMessageId(MessageId(1), Time::ZERO), action });
    lab.run_on(60);
    assert_eq!(lab.heard(B), [(16, Request(1, 0)), (16, Request(2, 0))]);
}

#[test]
fn who_dies_of_an_event_has_told_it_but_does_nothing_more() {
    let mut lab = Lab::new(&[(1, Do::TellAndSend(B, 1)), (5, Do::TellAndSend(B, 2))]);
    let trigger = Trigger::OnEvent { kind: EventKind::Processed, node: Some(A), nth: 2 };
    lab.0.plan_fault(Fault { id: 1, trigger, action: Action::Crash { node: A, restart_after: None } });
    let mut processed = 0;
    while lab.0.step_before(ms(60)) {
        processed += lab.0.recorded.iter().filter(|it| matches!(it.event, Event::Processed { .. })).count();
    }
    assert_eq!(processed, 2);
    assert_eq!(lab.heard(B), [(2, Request(1, 0)), (6, Gone(A))]);
}

#[test]
fn a_wrong_clock_shows_another_time_and_keeps_its_pace() {
    let lab = Lab::new(&[(10, Do::Send(B, 1)), (40, Do::Send(B, 2))]);
    let lab = lab.fault(5, Action::SkewClock { node: A, by_ms: 15 }).run(90);
    // The timer for 10 was set before; the one for 40 by A's clock is due at 25.
    assert_eq!(lab.heard(B), [(11, Request(1, 0)), (26, Request(2, 0))]);
    assert_eq!(lab.heard(A), [(27, Response(1)), (42, Response(2))]);
}
