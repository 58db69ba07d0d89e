//! What came of a run, in words: claim against observation, the counts, and one reason.

use super::moment::Observed;
use super::svg::Svg;
use crate::scenario::Scenario;
use crate::tell::i18n::{Lang, Texts};
use crate::tell::why::banner;
use crate::tell::words::{lines, text_width};
use crate::view::{NodeBody, VerdictView};

const LEFT: i32 = 14;
const WIDTH: i32 = 572;
const PX: i32 = 19;
/// Base lines: the claim, what was observed, the counts, then the sentences.
const CLAIM: i32 = 318;
const OBSERVED: i32 = 344;
const COUNTS: i32 = 371;
const TEXT: i32 = 398;
const LINE: i32 = 24;
/// So many lines of sentences fit.
const MOST: usize = 4;
/// How wide a text is, with some room to spare; measured fonts are narrower than the page's own, more generous estimate.
const NARROWER: f64 = 0.95;

/// All of it.
pub(super) struct Words {
    /// Whether the claim holds, and the two guarantees with what they are called; none before the end.
    verdict: Option<(bool, &'static str, [String; 2])>,
    /// Counts with their names, and whether they are bad.
    counts: Vec<(usize, &'static str)>,
    sentences: String,
}

pub(super) fn words(scenario: &Scenario, seen: &Observed, lang: Lang) -> Words {
    let t = lang.texts();
    let about = scenario.about.as_ref();
    let Some(end) = &seen.end else {
        return Words { verdict: None, counts: Vec::new(), sentences: t.about.to_owned() };
    };
    let it = &end.verdict;
    let reason = seen.why.as_ref().map(|why| (t.why)(why));
    let reason = reason.or_else(|| about.map(|about| lang.of(&about.watch).to_string())).unwrap_or_default();
    let transactional = end.nodes.iter().any(|node| match &node.body {
        NodeBody::Producer(it) => it.manager.is_some(),
        NodeBody::Processor(it) => it.writer.manager.is_some(),
        _ => false,
    });
    Words {
        verdict: Some((it.holds, if it.holds { t.holds } else { t.broken }, guarantees(it, t))),
        counts: counts(it, transactional, t),
        sentences: format!("{} {reason}", (t.banner)(&banner(end))).trim_end().to_owned(),
    }
}

fn guarantees(it: &VerdictView, t: &Texts) -> [String; 2] {
    [(t.claim, it.claimed), (t.in_the_end, it.observed)]
        .map(|(name, word)| format!("{name}: {}", (t.guarantee_word)(word)))
}

fn counts(it: &VerdictView, transactional: bool, t: &Texts) -> Vec<(usize, &'static str)> {
    let ledger = &it.ledger;
    let duplicated = if ledger.duplicated.is_empty() { &ledger.log_duplicated } else { &ledger.duplicated };
    let mut counts =
        vec![(ledger.lost.len(), t.lost), (duplicated.len(), t.duplicated), (ledger.reordered.len(), t.reordered)];
    if transactional {
        counts.push((ledger.aborted_read.len(), t.aborted_read));
    }
    counts
}

impl Words {
    /// In one piece, uncut.
    pub fn spoken(&self) -> String {
        let mut parts = Vec::new();
        if let Some((_, word, guarantees)) = &self.verdict {
            parts.push(format!("{}, {}: {word}.", guarantees[0], guarantees[1]));
            let counts = self.counts.iter().map(|(count, name)| format!("{name}: {count}"));
            parts.push(format!("{}.", counts.collect::<Vec<_>>().join(", ")));
        }
        parts.push(self.sentences.clone());
        parts.join(" ")
    }
}

pub(super) fn draw(svg: &mut Svg, words: &Words) {
    let Some((holds, word, [claim, observed])) = &words.verdict else {
        return sentences(svg, &words.sentences, OBSERVED, MOST + 1);
    };
    svg.fitted("", LEFT, CLAIM, WIDTH, PX, claim);
    svg.fitted("", LEFT, OBSERVED, WIDTH, PX, observed);
    let (tone, back, mark) = if *holds { ("b G", "ok", '✓') } else { ("b R", "no", '✗') };
    let badge = format!("{mark} {word}");
    let width = text_width(&badge, f64::from(PX)) as i32 + 18;
    let x = LEFT + text_width(observed, f64::from(PX)) as i32 + 10;
    svg.rect(back, (x, OBSERVED - 20, width, 27), 8);
    svg.text(tone, x + 9, OBSERVED, &badge);
    let mut x = LEFT;
    for (count, name) in &words.counts {
        let text = format!("{count} {name}");
        svg.text(if *count > 0 { "b R" } else { "z" }, x, COUNTS, &text);
        x += text_width(&text, f64::from(PX)) as i32 + 20;
    }
    sentences(svg, &words.sentences, TEXT, MOST);
}

/// Whole sentences, as many as fit; only the first may be cut.
fn sentences(svg: &mut Svg, text: &str, y: i32, most: usize) {
    let fits = |text: &str| lines(text, f64::from(PX) * NARROWER, f64::from(WIDTH), most + 8).len() <= most;
    let mut shown = "";
    let ends = text.match_indices(". ").map(|(at, _)| at + 1).chain([text.len()]);
    for end in ends {
        if shown.is_empty() || fits(&text[..end]) {
            shown = &text[..end];
        }
    }
    for (at, line) in lines(shown, f64::from(PX) * NARROWER, f64::from(WIDTH), most).iter().enumerate() {
        svg.text("", LEFT, y + at as i32 * LINE, line);
    }
}
