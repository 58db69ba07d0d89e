//! `lab posters`: the pictures that a host page shows until somebody runs a scenario.

use super::{Mistake, library, link, say};
use delivery_lab::base::config::suggest::nearest;
use delivery_lab::poster::{ANY, Poster};
use delivery_lab::tell::i18n::Lang;
use std::path::Path;

/// Draws the posters of these scenarios, or of all of them and the one that tells no outcome.
pub fn write(ids: &[String], out: &Path) -> Result<bool, Vec<Mistake>> {
    let unknown: Vec<Mistake> = ids.iter().filter(|id| library::get(id).is_none()).map(|id| unknown(id)).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    std::fs::create_dir_all(out).map_err(|error| failed(out, &error))?;
    let all: Vec<&str> = if ids.is_empty() { library::ids().collect() } else { ids.iter().map(|id| &**id).collect() };
    let mut written = 0;
    for id in all {
        let poster = Poster::of(library::get(id).expect("invariant: it was looked up"))?;
        written += save(&poster, id, out)?;
    }
    if ids.is_empty() {
        let first = library::get(link::FIRST).expect("invariant: the first scenario is in the library");
        written += save(&Poster::before(first)?, ANY, out)?;
    }
    say(format_args!("{written} posters in {}\n", out.display()));
    Ok(true)
}

fn save(poster: &Poster, name: &str, out: &Path) -> Result<usize, Vec<Mistake>> {
    for lang in Lang::ALL {
        let file = out.join(format!("{name}.{}.svg", lang.word()));
        std::fs::write(&file, poster.draw(lang)).map_err(|error| failed(&file, &error))?;
    }
    Ok(Lang::ALL.len())
}

fn failed(path: &Path, error: &std::io::Error) -> Vec<Mistake> {
    vec![Mistake { place: path.display().to_string(), problem: format!("cannot be written: {error}") }]
}

fn unknown(id: &str) -> Mistake {
    let near = nearest(id, library::ids());
    let hint = near.map_or(String::from("`lab list` names the library"), |id| format!("did you mean \"{id}\"?"));
    Mistake { place: id.to_owned(), problem: format!("no scenario of the library; {hint}") }
}
