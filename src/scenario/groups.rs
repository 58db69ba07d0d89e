//! Settings of groups: `"groups": [ { "name": "mail", "config": { "consumer.session.timeout.ms": "50000" } } ]`, made before the
//! clock starts; `--set group.mail.KEY=VALUE`; and the `alter_config` of a group, later.

use super::format::{Group, Scenario};
use super::reader::{Mistake, Mistakes, Reader};
use super::set::put;
use crate::base::config::{BrokerConfig, GroupConfig, Properties, group_keys, suggest};
use std::rc::Rc;

impl Scenario {
    /// The groups of its applications, each once, in order; none of consumers that never commit.
    pub fn group_names(&self) -> Vec<Rc<str>> {
        let consumers = self.consumers.iter().filter_map(|it| it.group.as_ref());
        let mut names: Vec<Rc<str>> = Vec::new();
        for name in consumers.chain(self.processors.iter().map(|it| &it.group)) {
            if !names.contains(name) {
                names.push(Rc::clone(name));
            }
        }
        names
    }

    /// What is set of a group.
    pub fn group_config(&self, name: &str) -> Option<&Properties> {
        self.groups.iter().find(|group| &*group.name == name).map(|group| &group.config)
    }

    /// The same, to be changed; then [`Self::drop_empty_groups`].
    pub fn group_config_mut(&mut self, name: &str) -> &mut Properties {
        let at = self.groups.iter().position(|group| &*group.name == name).unwrap_or_else(|| {
            self.groups.push(Group { name: name.into(), config: Properties::new() });
            self.groups.len() - 1
        });
        &mut self.groups[at].config
    }

    /// A group of which nothing is set is not listed.
    pub fn drop_empty_groups(&mut self) {
        self.groups.retain(|group| !group.config.is_empty());
    }

    /// How the keys begin that its coordinator asks for: none of a classic group.
    pub fn group_prefix(&self, name: &str) -> Option<&'static str> {
        let readers = self.consumers.iter().map(|it| (it.group.as_deref(), it.share, &it.config));
        let processors = self.processors.iter().map(|it| (Some(&*it.group), false, &it.consumer_config));
        readers.chain(processors).filter(|(group, ..)| *group == Some(name)).find_map(|(_, share, config)| {
            let by_epochs = config.get("group.protocol").is_some_and(|it| it.trim().eq_ignore_ascii_case("consumer"));
            if share { Some("share.") } else { by_epochs.then_some("consumer.") }
        })
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Group {
    Group { name: r.name("name"), config: r.properties("config") }
}

/// What the administrator sets before the clock starts.
pub(super) fn build(scenario: &Scenario, broker: &BrokerConfig, mistakes: &mut Mistakes) -> Vec<(Rc<str>, Properties)> {
    for (i, group) in scenario.groups.iter().enumerate() {
        let place = format!("groups[{i}]");
        known(scenario, &format!("{place}.name"), &group.name, mistakes);
        if scenario.groups.iter().take(i).any(|other| other.name == group.name) {
            mistakes.add(format!("{place}.name"), format!("\"{}\" is here twice", group.name));
        }
        check(&group.config, broker, &format!("{place}.config"), mistakes);
    }
    let set = scenario.groups.iter().filter(|group| !group.config.is_empty());
    set.map(|group| (Rc::clone(&group.name), group.config.clone())).collect()
}

/// An administrator may change settings of any group; here it is one that somebody is in.
pub(super) fn known(scenario: &Scenario, place: &str, name: &str, mistakes: &mut Mistakes) {
    let names = scenario.group_names();
    if names.iter().any(|known| **known == *name) {
        return;
    }
    let near = suggest::nearest(name, names.iter().map(|name| &**name));
    let hint =
        near.map_or_else(|| format!("groups here: {}", names.join(", ")), |it| format!("did you mean \"{it}\"?"));
    mistakes.add(place, format!("nobody is in a group \"{name}\"; {hint}"));
}

/// Values that are empty go back to the default.
pub(super) fn check(config: &Properties, broker: &BrokerConfig, place: &str, mistakes: &mut Mistakes) {
    let set = config.iter().filter(|(_, value)| !value.is_empty());
    let set = set.map(|(key, value)| (key.clone(), value.clone())).collect();
    if let Err(errors) = GroupConfig::parse_with(&set, broker) {
        errors.into_iter().for_each(|error| mistakes.add(place, error.message));
    }
}

/// `group.mail.consumer.session.timeout.ms`: the group, and the key. Without such a group it is the brokers' key.
pub(super) fn owner(scenario: &Scenario, key: &str) -> Option<(Rc<str>, String)> {
    let rest = key.strip_prefix("group.")?;
    let of = |name: &Rc<str>| rest.strip_prefix(&**name)?.strip_prefix('.').map(str::to_owned);
    let mut found = scenario.group_names().into_iter().filter_map(|name| of(&name).map(|key| (name, key)));
    found.find(|(_, rest)| is_groups(rest) || !is_brokers(key))
}

/// Sets it for one group.
pub(super) fn set(scenario: &mut Scenario, name: &str, key: &str, value: &str) -> Result<(), Mistake> {
    let place = format!("group.{name}.{key}");
    let result = put(scenario.group_config_mut(name), group_keys(), &place, key, value);
    scenario.drop_empty_groups();
    result
}

/// Sets it for all groups that have members of that kind: `share.` for share groups, `consumer.` for the others.
pub(super) fn set_everywhere(scenario: &mut Scenario, key: &str, value: &str) -> Result<(), Mistake> {
    let shares = |name: &Rc<str>| scenario.consumers.iter().any(|it| it.share && it.group.as_ref() == Some(name));
    let concerned: Vec<Rc<str>> =
        scenario.group_names().into_iter().filter(|name| shares(name) == key.starts_with("share.")).collect();
    if concerned.is_empty() {
        let problem = format!("nobody here is in a group that has a setting \"{key}\"");
        return Err(Mistake { place: key.to_owned(), problem });
    }
    concerned.iter().try_for_each(|name| set(scenario, name, key, value))
}

/// Whether it is a setting of groups.
pub(super) fn is_groups(key: &str) -> bool {
    group_keys().iter().any(|known| known.name == key)
}

fn is_brokers(key: &str) -> bool {
    crate::base::config::broker_keys().iter().any(|known| known.name == key)
}

#[cfg(test)]
mod tests {
    use super::super::{parse, parse_value, set, to_json};
    use crate::scenario::{Mistake, Scenario};

    fn scenario(more: &str) -> Result<Scenario, Vec<Mistake>> {
        let text = format!(
            r#"{{ "version": 1, "topics": [ {{ "name": "jobs" }} ],
                 "consumers": [ {{ "name": "mailer", "group": "mail", "topics": ["jobs"] }},
                                {{ "name": "worker", "group": "work", "topics": ["jobs"], "share": true }} ] {more} }}"#
        );
        let scenario = parse(&text)?;
        crate::scenario::build(&scenario)?;
        Ok(scenario)
    }

    #[test]
    fn they_survive_a_round_trip() {
        let of = |value| format!(r#"{{ "name": "mail", "config": {{ "consumer.session.timeout.ms": "{value}" }} }}"#);
        let fault =
            r#"{ "at.ms": 5, "do": "alter_config", "group": "work", "config": { "share.delivery.count.limit": "3" } }"#;
        let read = scenario(&format!(r#", "groups": [ {} ], "faults": [ {fault} ]"#, of(50_000))).expect("valid");
        assert_eq!(parse_value(to_json(&read)), Ok(read.clone()));
        assert_eq!(read.group_config("mail").expect("it is set")["consumer.session.timeout.ms"], "50000");
        assert_eq!(crate::scenario::build(&read).expect("valid").0.group_configs.len(), 1);
    }

    #[test]
    fn a_key_goes_to_a_group_by_its_name_or_to_all_of_its_kind() {
        let mut it = scenario("").expect("valid");
        set(&mut it, "group.mail.consumer.session.timeout.ms=50000").expect("a group's key");
        set(&mut it, "share.record.lock.duration.ms=20000").expect("of share groups");
        set(&mut it, "group.consumer.session.timeout.ms=55000").expect("the brokers' key");
        let set_of = |it: &Scenario, name: &str| it.group_config(name).map(|config| config.iter().count());
        assert_eq!((set_of(&it, "mail"), set_of(&it, "work")), (Some(1), Some(1)));
        assert!(it.cluster.config.contains_key("group.consumer.session.timeout.ms"));
        set(&mut it, "group.mail.consumer.session.timeout.ms=").expect("back to the default");
        assert_eq!(set_of(&it, "mail"), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let groups = |list: &str| format!(r#", "groups": [ {list} ]"#);
        for (more, told) in [
            (groups(r#"{ "name": "mial" }"#), "did you mean \"mail\"?"),
            (groups(r#"{ "name": "mail" }, { "name": "mail" }"#), "twice"),
            (
                groups(r#"{ "name": "mail", "config": { "consumer.session.timeout.ms": "1" } }"#),
                "group.consumer.min.session.timeout.ms",
            ),
            (groups(r#"{ "name": "mail", "config": { "session.timeout.ms": "1" } }"#), "Unknown configuration"),
            (
                r#", "faults": [ { "at.ms": 5, "do": "alter_config", "group": "mail", "topic": "jobs" } ]"#.to_owned(),
                "a topic or a group",
            ),
            (
                r#", "faults": [ { "at.ms": 5, "do": "alter_config", "group": "wrk", "config": {} } ]"#.to_owned(),
                "did you mean \"work\"?",
            ),
        ] {
            let mistakes = scenario(&more).expect_err(told);
            assert!(mistakes.iter().any(|it| it.to_string().contains(told)), "{told}: {mistakes:?}");
        }
        let mut it = scenario("").expect("valid");
        let error = set(&mut it, "group.mail.consumer.sesion.timeout.ms=1").expect_err("no such key");
        assert!(error.to_string().contains("did you mean \"consumer.session.timeout.ms\"?"), "{error}");
        assert_eq!(it, scenario("").expect("valid"), "nothing changed");
    }
}
