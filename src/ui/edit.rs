//! Changing a scenario: settings, workload, guarantees, "try next". Everything gives back a new scenario or says why not.

mod place;
mod share;
mod work;

pub use place::{Place, places};
pub use work::{WorkField, WorkKind, set_work, workload};

use delivery_lab::base::config::Properties;
use delivery_lab::scenario::format::{Commit, Offsets};
use delivery_lab::scenario::{Scenario, set};

/// The scenario with `node.key=value` applied, where that is possible.
pub fn apply(scenario: &Scenario, change: &str) -> Option<Scenario> {
    let mut new = scenario.clone();
    set(&mut new, change).ok()?;
    Some(new)
}

/// The guarantees of the source document.
#[expect(clippy::enum_variant_names, reason = "these are the words of the field")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guarantee {
    AtMostOnce,
    AtLeastOnce,
    ExactlyOnce,
}

impl Guarantee {
    /// All of them.
    pub const ALL: [Guarantee; 3] = [Guarantee::AtMostOnce, Guarantee::AtLeastOnce, Guarantee::ExactlyOnce];
}

/// The scenario with exactly the settings that the source document names for a guarantee.
pub fn guarantee(scenario: &Scenario, which: Guarantee) -> Scenario {
    let mut new = scenario.clone();
    let mut taken = Vec::new();
    for producer in &mut new.producers {
        guarantee_writing(&mut producer.config, &producer.name, which, &mut taken);
    }
    for processor in &mut new.processors {
        guarantee_writing(&mut processor.producer_config, &processor.name, which, &mut taken);
        guarantee_reading(&mut processor.consumer_config, which);
        let (wanted, usual) = match which {
            Guarantee::AtMostOnce => (Offsets::Before, Offsets::After),
            Guarantee::AtLeastOnce => (Offsets::After, Offsets::After),
            Guarantee::ExactlyOnce => (Offsets::Transaction, Offsets::Transaction),
        };
        if processor.offsets.unwrap_or(usual) != wanted {
            processor.offsets = Some(wanted);
        }
    }
    for consumer in &mut new.consumers {
        if consumer.share {
            share::guarantee(consumer, which);
            continue;
        }
        let config = &mut consumer.config;
        config.insert("enable.auto.commit".into(), "false".into());
        guarantee_reading(config, which);
        let after = consumer
            .commit
            .filter(|it| matches!(it, Commit::AfterSync | Commit::AfterAsync))
            .unwrap_or(Commit::AfterSync);
        consumer.commit = Some(if which == Guarantee::AtMostOnce { Commit::Before } else { after });
    }
    new
}

/// What a guarantee asks of whoever writes. `taken` are the transactional ids that others have.
fn guarantee_writing(config: &mut Properties, name: &str, which: Guarantee, taken: &mut Vec<String>) {
    let (acks, idempotence) = match which {
        Guarantee::AtMostOnce => ("0", "false"),
        Guarantee::AtLeastOnce => ("all", "false"),
        Guarantee::ExactlyOnce => ("all", "true"),
    };
    config.insert("acks".into(), acks.into());
    config.insert("enable.idempotence".into(), idempotence.into());
    if which == Guarantee::ExactlyOnce {
        // Unique and stable: one that two share fences, one drawn anew at each start fences nobody.
        let good = |id: &String| !id.trim().is_empty() && !id.contains("${") && !taken.contains(id);
        let id = config.get("transactional.id").cloned().filter(good).unwrap_or_else(|| format!("{name}-tx"));
        taken.push(id.clone());
        config.insert("transactional.id".into(), id);
    } else {
        config.remove("transactional.id");
    }
    let most = if which == Guarantee::ExactlyOnce { 5 } else { u32::MAX };
    let in_flight = "max.in.flight.requests.per.connection";
    if config.get(in_flight).is_some_and(|it| it.trim().parse::<u32>().is_ok_and(|it| it > most)) {
        config.remove(in_flight);
    }
    if config.get("retries").is_some_and(|it| it.trim() == "0") && which != Guarantee::AtMostOnce {
        config.remove("retries");
    }
}

/// What a guarantee asks of whoever reads.
fn guarantee_reading(config: &mut Properties, which: Guarantee) {
    if which == Guarantee::ExactlyOnce {
        config.insert("isolation.level".into(), "read_committed".into());
    } else {
        config.remove("isolation.level");
    }
}

/// The guarantee whose settings a scenario has, if it is one of the three.
pub fn guarantee_of(scenario: &Scenario) -> Option<Guarantee> {
    let same = |which: &Guarantee| same_in_effect(scenario, &guarantee(scenario, *which));
    Guarantee::ALL.into_iter().find(same)
}

/// Whether two scenarios differ in no setting's effect: what is set to its default is as good as not set.
fn same_in_effect(a: &Scenario, b: &Scenario) -> bool {
    changes(a, b).is_empty()
}

/// What differs between two scenarios of the same shape: (name, key, before, after).
pub fn changes(before: &Scenario, after: &Scenario) -> Vec<(String, String, String, String)> {
    let mut found = Vec::new();
    let (old_places, new_places) = (places(before), places(after));
    for place in new_places.into_iter().filter(|place| old_places.contains(place)) {
        let name = place.name(after);
        let (old, new) = (place.properties(before), place.properties(after));
        for key in place.keys() {
            let value = |properties: &Properties| {
                properties.get(key.name).map_or(key.default, String::as_str).trim().to_owned()
            };
            let (was, is) = (value(old), value(new));
            if was != is {
                found.push((name.clone(), key.name.to_owned(), was, is));
            }
        }
        let old = workload(before, place);
        for is in workload(after, place) {
            // A field that only now has a place says nothing else than before: what brought it says so.
            let was = old.iter().find(|was| was.key == is.key && was.value != is.value);
            found.extend(was.map(|was| (name.clone(), is.key.to_owned(), was.value.clone(), is.value)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use delivery_lab::scenario::library;

    fn lost_ack() -> Scenario {
        library::get("lost-ack").expect("it is in the library")
    }

    #[test]
    fn lost_ack_is_at_least_once_and_its_cure_is_a_setting() {
        let scenario = lost_ack();
        assert_eq!(guarantee_of(&scenario), Some(Guarantee::AtLeastOnce));
        let cured = apply(&scenario, "shop.enable.idempotence=true").expect("the hint can be applied");
        assert_eq!(changes(&scenario, &cured).len(), 1);
        assert_eq!(guarantee_of(&cured), None);
    }

    #[test]
    fn every_hint_of_the_library_can_be_applied() {
        for id in library::ids() {
            let scenario = library::get(id).expect("it is listed");
            for hint in scenario.about.iter().flat_map(|about| about.try_next.iter()) {
                let changed = apply(&scenario, hint).unwrap_or_else(|| panic!("{id}: {hint}"));
                assert_eq!(changes(&scenario, &changed).len(), 1, "{id}: {hint}");
            }
        }
    }

    #[test]
    fn exactly_once_sets_three_keys_and_no_more() {
        let changed = changes(&lost_ack(), &guarantee(&lost_ack(), Guarantee::ExactlyOnce));
        let said: Vec<_> = changed.iter().map(|(name, key, _, now)| format!("{name}.{key}={now}")).collect();
        assert_eq!(
            said,
            ["shop.enable.idempotence=true", "shop.transactional.id=shop-tx", "mailer.isolation.level=read_committed"]
        );
    }

    #[test]
    fn exactly_once_moves_a_processors_offsets_into_its_transaction() {
        let mut scenario = lost_ack();
        let text = r#"{ "version": 1, "topics": [ { "name": "orders" }, { "name": "invoices" } ],
            "processors": [ { "name": "billing", "from": ["orders"], "to": ["invoices"], "group": "b", "offsets": "after" } ] }"#;
        scenario.processors = delivery_lab::scenario::parse(text).expect("a scenario").processors;
        let new = guarantee(&scenario, Guarantee::ExactlyOnce);
        let changed: Vec<_> = changes(&scenario, &new).into_iter().filter(|it| it.0 == "billing").collect();
        let said: Vec<_> = changed.iter().map(|(_, key, _, now)| format!("{key}={now}")).collect();
        assert_eq!(said, ["isolation.level=read_committed", "offsets=transaction", "transactional.id=billing-tx"]);
        assert_eq!(guarantee_of(&new), Some(Guarantee::ExactlyOnce));
        let back = guarantee(&new, Guarantee::AtLeastOnce);
        assert_eq!(back.processors[0].offsets, Some(Offsets::After));
        assert_eq!(guarantee_of(&back), Some(Guarantee::AtLeastOnce));
    }

    #[test]
    fn a_transactional_id_that_is_stable_and_unique_is_kept_and_others_are_not() {
        let mut scenario = lost_ack();
        let mut twin = scenario.producers[0].clone();
        twin.name = "kiosk".into();
        scenario.producers.push(twin);
        let with = |first: &str, second: &str| {
            let mut scenario = scenario.clone();
            for (producer, id) in scenario.producers.iter_mut().zip([first, second]) {
                producer.config.insert("transactional.id".into(), id.into());
            }
            let ids = guarantee(&scenario, Guarantee::ExactlyOnce).producers;
            ids.iter().map(|it| it.config["transactional.id"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(with("a", "b"), ["a", "b"]);
        assert_eq!(with("same", "same"), ["same", "kiosk-tx"]);
        assert_eq!(with("x-${random.uuid}", ""), ["shop-tx", "kiosk-tx"]);
    }

    #[test]
    fn groups_have_settings_where_a_coordinator_asks_for_them() {
        let mut scenario = library::get("share-group").expect("it is in the library");
        let places = super::places(&scenario);
        let place = Place::Group(0);
        assert!(places.contains(&place) && place.name(&scenario) == "workers");
        assert!(place.offered(&scenario).all(|key| key.name.starts_with("share.")));
        let before = scenario.clone();
        place.properties_mut(&mut scenario).insert("share.delivery.count.limit".into(), "3".into());
        assert_eq!(changes(&before, &scenario).len(), 1);
        assert_eq!(place.check(&scenario, place.properties(&scenario)), []);
        place.properties_mut(&mut scenario).remove("share.delivery.count.limit");
        scenario.drop_empty_groups();
        assert_eq!(scenario, before);
        assert!(!super::places(&lost_ack()).contains(&Place::Group(0)), "nothing asks for those of a classic group");
    }

    #[test]
    fn every_guarantee_passes_kafkas_checks_and_is_recognised() {
        for id in library::ids() {
            for which in Guarantee::ALL {
                let changed = guarantee(&library::get(id).expect("it is listed"), which);
                assert_eq!(guarantee_of(&changed), Some(which), "{id}");
                for place in places(&changed) {
                    assert_eq!(place.check(&changed, place.properties(&changed)), [], "{id}");
                }
            }
        }
    }
}
