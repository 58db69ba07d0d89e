//! Order, and how connections end.

use super::super::fault::Action;
use super::probe::{A, B, C, Do, Heard, Lab, REQUEST, RESPONSE};
use crate::base::Duration;
use crate::node::{Channel, Event};
use Heard::{Gone, Request, Response};

fn sends(count: u32) -> Vec<(u64, Do)> {
    (0..count).map(|number| (1 + u64::from(number), Do::Send(B, number))).collect()
}

#[test]
fn what_is_sent_on_a_connection_arrives_in_order_whatever_the_latency() {
    let lab = Lab::with(3, Duration(10), Duration(50_000), &sends(40)).run(1_000);
    let requests: Vec<Heard> = lab.heard(B).into_iter().map(|(_, heard)| heard).collect();
    let responses: Vec<Heard> = lab.heard(A).into_iter().map(|(_, heard)| heard).collect();
    assert_eq!(requests, (0..40).map(|number| Request(number, 0)).collect::<Vec<_>>());
    assert_eq!(responses, (0..40).map(Response).collect::<Vec<_>>());
}

#[test]
fn a_reset_response_is_lost_after_the_request_was_served_and_both_ends_learn_it() {
    let lab = Lab::new(&[(1, Do::Send(B, 1)), (9, Do::Send(B, 2))]).on(RESPONSE, 1, Action::Reset).run(20);
    assert_eq!(lab.heard(A), [(3, Gone(B)), (11, Response(2))]);
    assert_eq!(lab.heard(B), [(2, Request(1, 0)), (3, Gone(A)), (10, Request(2, 1))]);
}

#[test]
fn a_stalled_message_and_all_behind_it_hang_until_the_client_closes() {
    let script = [
        (1, Do::Send(B, 1)),
        (2, Do::Send(B, 2)),
        (3, Do::SendOn(B, Channel::Consumer, 3)),
        (9, Do::Close(B)),
        (10, Do::Send(B, 4)),
    ];
    let lab = Lab::new(&script).on(REQUEST, 1, Action::Stall).run(50);
    assert_eq!(lab.heard(B), [(4, Request(3, 0)), (11, Request(4, 1))], "another connection goes on");
    assert_eq!(lab.heard(A), [(5, Response(3)), (12, Response(4))]);
    assert_eq!(lab.0.post.iter().count(), 0, "what hung is gone with the connection");
}

#[test]
fn a_stalled_response_lets_requests_through() {
    let lab = Lab::new(&sends(3)).on(RESPONSE, 2, Action::Stall).run(50);
    assert_eq!(lab.heard(A), [(3, Response(0))]);
    assert_eq!(lab.heard(B).len(), 3);
}

#[test]
fn a_delay_holds_up_what_is_behind() {
    let by = Duration::from_millis(10);
    let lab = Lab::new(&sends(3)).on(REQUEST, 2, Action::Delay { by }).run(50);
    assert_eq!(lab.heard(B), [(2, Request(0, 0)), (13, Request(1, 0)), (13, Request(2, 0))]);
}

#[test]
fn after_a_close_what_was_sent_still_arrives_and_what_comes_back_does_not() {
    let lab = Lab::new(&[(1, Do::Send(B, 1)), (1, Do::Close(B))]).run(20);
    assert_eq!(lab.heard(B), [(2, Request(1, 0)), (2, Gone(A))]);
    assert_eq!(lab.heard(A), []);
}

#[test]
fn a_cut_link_is_silent_and_delivers_in_order_when_it_is_healed() {
    let cut = Action::Partition { a: A, b: Some(B), duration: Some(Duration::from_millis(20)), symmetric: true };
    let mut script = sends(4);
    script.push((5, Do::Send(C, 9)));
    let lab = Lab::new(&script).fault(2, cut).run(60);
    assert_eq!(
        lab.heard(A),
        [(7, Response(9)), (24, Response(0)), (24, Response(1)), (24, Response(2)), (24, Response(3))]
    );
    let order: Vec<Heard> = lab.heard(B).into_iter().map(|(_, heard)| heard).collect();
    assert_eq!(order, (0..4).map(|number| Request(number, 0)).collect::<Vec<_>>());
}

#[test]
fn a_link_cut_one_way_carries_the_other_way() {
    let cut = Action::Partition { a: B, b: None, duration: None, symmetric: false };
    let lab = Lab::new(&sends(2)).fault(0, cut).fault(30, Action::Heal { a: B, b: None }).run(60);
    assert_eq!(lab.heard(B), [(2, Request(0, 0)), (3, Request(1, 0))]);
    assert_eq!(lab.heard(A), [(31, Response(0)), (31, Response(1))]);
}

#[test]
fn a_longer_cut_outlives_a_shorter_one() {
    let cut = |ms| Action::Partition { a: A, b: Some(B), duration: Some(Duration::from_millis(ms)), symmetric: true };
    let lab = Lab::new(&sends(1)).fault(0, cut(30)).fault(1, cut(5)).run(60);
    assert_eq!(lab.heard(B), [(31, Request(0, 0))]);
}

#[test]
fn requests_of_a_connection_closed_during_a_cut_never_arrive() {
    let cut = Action::Partition { a: A, b: Some(B), duration: Some(Duration::from_millis(20)), symmetric: true };
    let lab = Lab::new(&[(1, Do::Send(B, 1)), (5, Do::Close(B)), (6, Do::Send(B, 2))]).fault(0, cut).run(60);
    assert_eq!(lab.heard(B), [(21, Gone(A)), (21, Request(2, 1))]);
}

#[test]
fn a_slow_link_adds_to_the_latency() {
    let by = Duration::from_millis(5);
    let slow = Action::Slow { a: Some(A), b: None, by, duration: Some(Duration::from_millis(2)) };
    let lab = Lab::new(&[(1, Do::Send(B, 1)), (10, Do::Send(B, 2))]).fault(0, slow).run(60);
    assert_eq!(lab.heard(B), [(7, Request(1, 0)), (11, Request(2, 0))]);
}

#[test]
fn messages_are_recorded_from_leaving_to_arriving() {
    let mut lab = Lab::new(&[(1, Do::Send(B, 1))]);
    let mut seen = Vec::new();
    while lab.0.step_before(super::probe::ms(20)) {
        seen.extend(lab.0.recorded.clone());
    }
    let sent = seen.iter().find(|it| matches!(it.event, Event::MessageSent { .. })).expect("it left");
    let arrived = seen.iter().find(|it| matches!(it.event, Event::MessageDelivered { .. })).expect("it arrived");
    assert_eq!((sent.node, arrived.node, arrived.cause), (A, B, sent.id));
    let answer = seen.iter().find(|it| it.cause == arrived.id).expect("it led to an answer");
    assert!(
        matches!(&answer.event, Event::MessageSent { summary, .. } if summary.response && summary.answers.is_some())
    );
}
