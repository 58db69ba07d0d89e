//! What `lab` is given: an id of the library, a file, or a link.

use delivery_lab::base::config::suggest::nearest;
use delivery_lab::scenario::link::{self, Link, Moment};
use delivery_lab::scenario::{self, Mistake, Scenario, Trial, library};
use delivery_lab::session;

/// Loads a scenario, with what was done to it if it is a link or a file that says so, and changes settings.
pub fn load(name: &str, set: &[String]) -> Result<Link, Vec<Mistake>> {
    let mut found = match library::get(name) {
        Some(found) => Link::from(found),
        None if name.starts_with("http") || name.starts_with(['?', '#']) => {
            let mut opened = link::read_text(name);
            if !opened.mistakes.is_empty() {
                let problem = "not run as it is; the page opens it, and shows what is good in it".to_owned();
                opened.mistakes.push(Mistake { place: "the link".to_owned(), problem });
                return Err(opened.mistakes);
            }
            opened.link
        }
        None => match std::fs::read_to_string(name) {
            Ok(text) => link::parse(&text)?,
            Err(error) => return Err(vec![unknown(name, &error)]),
        },
    };
    let change = |one: &String| scenario::set(&mut found.scenario, one).err();
    let mistakes: Vec<Mistake> = set.iter().filter_map(change).collect();
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

fn unknown(name: &str, error: &std::io::Error) -> Mistake {
    let hint = nearest(name, library::ids())
        .map_or(String::from("`lab list` names the library"), |id| format!("did you mean \"{id}\"?"));
    Mistake {
        place: name.to_owned(),
        problem: format!("neither a scenario of the library, nor a file ({error}), nor a link; {hint}"),
    }
}

/// The scenario alone, where seeds and faults are drawn anew.
pub fn without_inputs(link: Link) -> Scenario {
    if !link.inputs.is_empty() {
        eprintln!("lab: what was done by hand is left out: each seed has faults of its own");
    }
    link.scenario
}

/// Runs it to its end, or to a moment.
pub fn replay(link: &Link, until: Option<Moment>) -> Result<Trial, Vec<Mistake>> {
    if !link.inputs.is_empty() || until.is_some() {
        return session::replay(link, until);
    }
    // Nobody looks back: no checkpoints are needed.
    let mut trial = Trial::new(&link.scenario)?;
    trial.finish();
    Ok(trial)
}
