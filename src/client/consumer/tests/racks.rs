//! Members in racks, whose leader knows where replicas are.

use super::membership::subscriber;
use super::*;
use crate::protocol::ConsumerSubscription;

const AGE: (&str, &str) = ("metadata.max.age.ms", "5000");
const RACK: (&str, &str) = ("client.rack", "a");

/// `MetadataSnapshot`: the broker of a rack that is gone is one without a rack.
#[test]
fn a_leader_in_a_rack_assigns_anew_when_replicas_are_elsewhere() {
    for (settings, generation) in [(&[AGE, RACK][..], 2), (&[AGE][..], 1)] {
        let mut lab = subscriber(settings);
        lab.broker.racks.insert(BROKER.into(), "a".into());
        lab.poll_until_stable();
        lab.broker.racks.clear();
        lab.poll_for(5_500);
        lab.poll_until_stable();
        assert_eq!(lab.generation().0, generation, "{settings:?}");
    }
}

#[test]
fn members_say_in_which_rack_they_are() {
    let mut lab = subscriber(&[RACK]);
    lab.poll_until_stable();
    let joins = lab.requests.iter().filter_map(|request| match request {
        Request::JoinGroup(join) => Some(&join.protocols[0].metadata),
        _ => None,
    });
    let said: Vec<ConsumerSubscription> = joins.map(|it| ConsumerSubscription::decode(it).expect("ours")).collect();
    assert!(!said.is_empty() && said.iter().all(|it| it.rack.as_deref() == Some("a")));
}
