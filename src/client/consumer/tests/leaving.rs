//! Who closes or unsubscribes leaves its group.

use super::membership::member;
use super::*;

#[test]
fn close_commits_gives_up_and_leaves() {
    let mut lab = member(&[]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.told();
    lab.with(|node, now, out| node.0.close(now, out));
    lab.run_ms(100);
    assert!(lab.node.0.is_closed());
    assert_eq!(lab.broker.committed.get(&TP), Some(&1));
    assert_eq!(lab.told(), [("revoked", vec![0])]);
    let order: Vec<ApiKey> = lab.requests.iter().map(Request::api).collect();
    let commit = order.iter().position(|api| *api == ApiKey::OffsetCommit);
    let leave = order.iter().position(|api| *api == ApiKey::LeaveGroup);
    assert!(commit.is_some() && leave.is_some() && commit < leave);
    let sent = lab.requests.len();
    lab.run_ms(60_000);
    assert_eq!(lab.requests.len(), sent, "it is gone");
}

#[test]
fn a_static_member_closes_without_leaving() {
    let mut lab = member(&[("group.instance.id", "one")]);
    lab.with(|node, now, out| node.0.close(now, out));
    lab.run_ms(100);
    assert!(lab.node.0.is_closed());
    assert_eq!(lab.count(ApiKey::LeaveGroup), 0);
}

#[test]
fn unsubscribe_leaves_without_a_commit() {
    let mut lab = member(&[]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.told();
    lab.with(|node, now, out| node.0.unsubscribe(now, out));
    lab.run_ms(10);
    assert_eq!((lab.count(ApiKey::LeaveGroup), lab.count(ApiKey::OffsetCommit)), (1, 0));
    assert_eq!(lab.told(), [("revoked", vec![0])]);
    assert!(lab.assigned().is_empty());
    let now = lab.now;
    lab.node.0.subscribe(now, ["orders".into()]);
    assert_eq!(lab.poll_records(), [0]);
    assert_eq!(lab.generation().1, "mailer-2");
}

/// `CloseOptions.GroupMembershipOperation` (KIP-1092).
#[test]
fn close_does_with_the_membership_what_it_is_told() {
    use MembershipOperation::{Default, LeaveGroup, RemainInGroup};
    for (instance, operation, leaves) in [
        (None, Default, 1),
        (None, LeaveGroup, 1),
        (None, RemainInGroup, 0),
        (Some("one"), Default, 0),
        (Some("one"), LeaveGroup, 1),
        (Some("one"), RemainInGroup, 0),
    ] {
        let settings: Vec<_> = instance.map(|instance| ("group.instance.id", instance)).into_iter().collect();
        let mut lab = member(&settings);
        lab.with(|node, now, out| node.0.close_with(now, operation, out));
        lab.run_ms(100);
        assert!(lab.node.0.is_closed());
        assert_eq!(lab.count(ApiKey::LeaveGroup), leaves, "{instance:?} {operation:?}");
    }
}
