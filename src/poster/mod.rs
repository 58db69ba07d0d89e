//! A run as one picture: the stage at its most telling moment, and below it what came of it, in words.
//!
//! A host page shows the picture until somebody wants to see it run: it costs no JavaScript and no wasm. `lab posters` draws
//! one for every scenario of the library in every language.
//!
//! Invariants: the engine itself draws, from a real run, so a poster never says what the page would not; the same scenario
//! gives the same bytes; a text stays inside its place, by a generous estimate of its width, and is at least 9 px tall when
//! the poster is 320 px wide; the file is complete in itself (no font, no script, no address).
//!
//! One file serves light and dark: it follows `prefers-color-scheme`, and `#light` or `#dark` at the end of its address decides
//! over that.

mod moment;
mod outcome;
mod stage;
mod svg;

use crate::scenario::{Mistake, Scenario};
use crate::tell::i18n::Lang;
use moment::Observed;
use std::rc::Rc;
use svg::Svg;

/// The name of the poster that says nothing of an outcome: for figures with settings of their own.
pub const ANY: &str = "any";

/// How wide and how tall a poster is, in its own units.
pub const SIZE: (i32, i32) = (600, 480);

/// A run that posters can be drawn from, in every language.
pub struct Poster {
    scenario: Scenario,
    seen: Observed,
}

impl Poster {
    /// Runs a scenario to its end, and looks for its most telling moment.
    pub fn of(scenario: Scenario) -> Result<Poster, Vec<Mistake>> {
        let seen = moment::observe(scenario.clone())?;
        Ok(Poster { scenario, seen })
    }

    /// The same scenario before anything has happened, without a word about its outcome.
    pub fn before(scenario: Scenario) -> Result<Poster, Vec<Mistake>> {
        let seen = moment::beginning(scenario.clone())?;
        Ok(Poster { scenario, seen })
    }

    /// The picture.
    pub fn draw(&self, lang: Lang) -> String {
        let t = lang.texts();
        let title = match (&self.scenario.about, self.seen.end.is_some()) {
            (Some(about), true) => lang.of(&about.title),
            (None, true) => self.scenario.id.clone().unwrap_or_else(|| Rc::from(t.own_scenario)),
            (_, false) => Rc::from("Delivery Lab"),
        };
        let said = outcome::words(&self.scenario, &self.seen, lang);
        let mut svg = Svg::new(&title, &said.spoken());
        svg.fitted("h", 14, 32, if self.seen.end.is_some() { 440 } else { 572 }, 24, &title);
        if self.seen.end.is_some() {
            let time = self.seen.view.time_us / 1_000;
            svg.text("m e", 586, 32, &format!("t = {}.{:03} s", time / 1_000, time % 1_000));
        }
        stage::draw(&mut svg, &self.seen, t);
        outcome::draw(&mut svg, &said);
        svg.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::library;

    fn poster(id: &str, lang: Lang) -> String {
        Poster::of(library::get(id).expect("in the library")).expect("valid").draw(lang)
    }

    #[test]
    fn the_lost_ack_is_told_and_its_cells_are_marked() {
        let svg = poster("lost-ack", Lang::En);
        assert!(svg.contains("<title>Lost ack</title>"));
        assert!(svg.contains("Record 3 was processed more than once."), "{svg}");
        assert!(svg.contains("class=\"k d\""), "a committed cell, duplicated");
        assert!(svg.contains('★') && svg.contains("HW"));
        let korean = poster("lost-ack", Lang::Ko);
        assert!(korean.contains("사라진 ack") && korean.contains("두 번 이상"));
    }

    #[test]
    fn what_a_run_without_an_outcome_shows_is_its_beginning() {
        let svg = Poster::before(library::get("lost-ack").expect("there")).expect("valid").draw(Lang::En);
        assert!(!svg.contains("more than once") && !svg.contains("class=\"k"), "{svg}");
    }

    #[test]
    fn the_same_bytes_every_time() {
        assert_eq!(poster("zombie-fencing", Lang::Ko), poster("zombie-fencing", Lang::Ko));
    }
}
