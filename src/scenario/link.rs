//! Short links: `?scenario=lost-ack&seed=7`, as the page's address and as the command line's argument.
//!
//! Invariant: what is wrong in a link is named, what is right in it is used.

use super::format::Scenario;
use super::library;
use super::reader::Mistake;
use crate::base::config::suggest::nearest;

/// What opens when nothing is asked for.
pub const FIRST: &str = "lost-ack";

/// The scenario that a link's query asks for, and what is wrong with it.
pub fn read(id: Option<&str>, seed: Option<&str>) -> (Scenario, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let mut wrong = |place: &str, problem: String| mistakes.push(Mistake { place: format!("?{place}="), problem });
    let id = id.unwrap_or(FIRST);
    let mut scenario = library::get(id).unwrap_or_else(|| {
        let near = nearest(id, library::ids()).map_or_else(String::new, |near| format!("did you mean \"{near}\"? "));
        let known = library::ids().collect::<Vec<_>>().join(", ");
        wrong(
            "scenario",
            format!("there is no scenario \"{id}\"; {near}Known: {known}. \"{FIRST}\" is shown instead."),
        );
        library::get(FIRST).expect("invariant: the first scenario is in the library")
    });
    match seed.map(|seed| (seed, seed.trim().parse())) {
        None => {}
        Some((_, Ok(seed))) => scenario.seed = seed,
        Some((text, Err(_))) => {
            let range = format!("expected a whole number from 0 to {}", u64::MAX);
            wrong("seed", format!("\"{text}\" is no seed: {range}. The seed is {}.", scenario.seed));
        }
    }
    (scenario, mistakes)
}

/// The value of a word in a link, if it is there. Ids and numbers need no decoding.
pub fn value<'a>(link: &'a str, word: &str) -> Option<&'a str> {
    let (_, query) = link.split_once('?')?;
    let query = query.split('#').next().unwrap_or(query);
    query.split('&').find_map(|part| part.split_once('=').filter(|(name, _)| *name == word).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_a_scenario_and_a_seed() {
        let link = "https://example.org/lab/?scenario=commit-after&seed=7&embed=1#x";
        let (scenario, mistakes) = read(value(link, "scenario"), value(link, "seed"));
        assert_eq!((scenario.id.as_deref(), scenario.seed), (Some("commit-after"), 7));
        assert!(mistakes.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_and_the_rest_is_used() {
        let (scenario, mistakes) = read(Some("lost-akc"), Some("9"));
        assert_eq!((scenario.id.as_deref(), scenario.seed), (Some(FIRST), 9));
        assert!(mistakes[0].problem.contains("did you mean \"lost-ack\"?"), "{mistakes:?}");
        let (scenario, mistakes) = read(Some("commit-first"), Some("many"));
        assert_eq!(scenario.id.as_deref(), Some("commit-first"));
        assert_eq!(mistakes.len(), 1);
        assert_eq!(value("?seed=", "seed"), Some(""));
        assert_eq!(value("lost-ack", "seed"), None);
    }
}
