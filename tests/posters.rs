//! Every scenario of the library as a poster, in every language: well-formed, small, and no text outside its place.

use delivery_lab::poster::{Poster, SIZE};
use delivery_lab::scenario::library;
use delivery_lab::tell::i18n::Lang;

/// How much wider than estimated a text may be drawn: fonts differ.
const NARROWER: f64 = 0.95;

fn each(mut check: impl FnMut(&str, Lang, &str)) {
    for id in library::ids() {
        let poster = Poster::of(library::get(id).expect("it is listed")).expect("it runs");
        Lang::ALL.into_iter().for_each(|lang| check(id, lang, &poster.draw(lang)));
    }
}

/// The tags of a document, in order; panics where they do not nest.
fn tags(text: &str) -> Vec<String> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    for part in text.split('<').skip(1) {
        let (tag, content) = part.split_once('>').unwrap_or_else(|| panic!("a tag without an end: {part}"));
        assert!(!content.contains('>'), "a bare > in {content:?}");
        let bare = content.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").replace("&quot;", "");
        assert!(!bare.contains('&'), "a bare & in {content:?}");
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        match (tag.strip_prefix('/'), tag.ends_with('/')) {
            (Some(name), _) => assert_eq!(open.pop().as_deref(), Some(name)),
            (None, true) => all.push(tag.trim_end_matches('/').to_owned()),
            (None, false) => {
                open.push(tag.split(' ').next().unwrap_or(tag).to_owned());
                all.push(tag.to_owned());
            }
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    all
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

#[test]
fn every_poster_is_well_formed_small_and_says_what_it_shows() {
    each(|id, lang, svg| {
        let all = tags(svg);
        assert!(all[0].starts_with("svg xmlns=") && all[0].contains("role=\"img\""), "{id}");
        assert_eq!((&*all[1], &*all[2]), ("title", "desc"), "{id}");
        let about = library::get(id).and_then(|it| it.about).expect("the library explains itself");
        assert!(svg.contains(&format!("<title>{}</title>", lang.of(&about.title))), "{id}");
        let verdict = if svg.contains('✓') { "✓" } else { "✗" };
        assert_eq!(svg.matches(verdict).count(), 1, "{id}: one verdict");
        assert!(svg.len() < 10_000, "{id} {lang:?}: {} bytes", svg.len());
        let packed = miniz_oxide::deflate::compress_to_vec(svg.as_bytes(), 9).len();
        assert!(packed < 4_000, "{id} {lang:?}: {packed} bytes, deflated");
        assert!(!svg.contains("http://") || svg.matches("http://").count() == 1, "no address but the namespace");
    });
}

#[test]
fn no_text_leaves_the_picture() {
    each(|id, lang, svg| {
        for part in svg.split("<text").skip(1) {
            let (tag, rest) = part.split_once('>').expect("a tag");
            let text = rest.split('<').next().unwrap_or(rest);
            let number = |name: &str| -> f64 { attribute(tag, name).and_then(|it| it.parse().ok()).expect("a number") };
            let class = attribute(tag, "class").unwrap_or("");
            let has = |one: &str| class.split(' ').any(|it| it == one);
            let px = if has("h") {
                24.0
            } else if has("m") {
                17.0
            } else {
                19.0
            };
            let width = if has("m") {
                delivery_lab::tell::words::mono_width(text, px)
            } else {
                delivery_lab::tell::words::text_width(text, px) * NARROWER
            };
            let (x, y) = (number("x"), number("y"));
            let (left, right) = match () {
                () if has("e") => (x - width, x),
                () if has("c") => (x - width / 2.0, x + width / 2.0),
                () => (x, x + width),
            };
            let (w, h) = (f64::from(SIZE.0), f64::from(SIZE.1));
            assert!(left >= 0.0 && right <= w, "{id} {lang:?}: {text:?} from {left} to {right}");
            assert!(y >= 12.0 && y <= h - 4.0, "{id} {lang:?}: {text:?} at {y}");
        }
    });
}

#[test]
fn the_palette_is_the_pages_own() {
    let look = include_str!("../www/look.css");
    for colour in include_str!("../src/poster/poster.css").split("light-dark(").skip(1) {
        let pair = colour.split(')').next().expect("a pair");
        let (light, dark) = pair.split_once(',').expect("two colours");
        let there = format!("light-dark({light}, {dark})");
        assert!(look.contains(&there), "{there} is none of www/look.css");
    }
}
