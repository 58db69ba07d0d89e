//! A small writer of SVG: shapes by class, texts that fit.

use super::SIZE;
use crate::tell::words::{shorten, shorten_mono};
use std::fmt::Write;

/// The palette of the page, in as few letters as can be read. Viewers without `light-dark()` see it light.
///
/// Text: `h` heading, `n` name of a node, `m` monospaced, `z` soft, `e` ends here, `c` in the middle. Cells: `a` appended, `k` committed,
/// `d` duplicated, `v` behind the LSO, `x` aborted, `q` empty, `g` cut off. Tones: `R` red, `O` orange, `G` green, `P` purple.
const STYLE: &str = include_str!("poster.css");

/// A poster that is being drawn.
pub(super) struct Svg(String);

impl Svg {
    /// An empty one, with what a screen reader says of it.
    pub fn new(title: &str, description: &str) -> Svg {
        let (w, h) = SIZE;
        // The two groups are what the address may point to; whichever it names sets the colours of all that is in it.
        Svg(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"dl\" viewBox=\"0 0 {w} {h}\" role=\"img\"><title>{}</title><desc>{}</desc>\
             <style>{}</style><defs><pattern id=\"a\" width=\"6\" height=\"6\" patternTransform=\"rotate(45)\" patternUnits=\"userSpaceOnUse\">\
             <path class=\"ha\" d=\"M1 0V6\"/></pattern><pattern id=\"x\" width=\"6\" height=\"6\" patternTransform=\"rotate(45)\" patternUnits=\"userSpaceOnUse\">\
             <path class=\"hx\" d=\"M0 3H6M3 0V6\"/></pattern></defs><g id=\"light\"><g id=\"dark\"><rect class=\"p\" width=\"{w}\" height=\"{h}\"/>",
            escape(title),
            escape(description),
            STYLE.trim_end(),
        ))
    }

    /// Whole.
    pub fn finish(mut self) -> String {
        self.0.push_str("</g></g></svg>\n");
        self.0
    }

    /// A text; `class` may be several.
    pub fn text(&mut self, class: &str, x: i32, y: i32, text: &str) {
        // Writing to a String cannot fail.
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let _ = write!(self.0, "<text{class} x=\"{x}\" y=\"{y}\">{}</text>", escape(text));
    }

    /// A text cut so that it fits into so much width.
    pub fn fitted(&mut self, class: &str, x: i32, y: i32, width: i32, px: i32, text: &str) {
        self.text(class, x, y, &shorten(text, f64::from(px), f64::from(width)));
    }

    /// The same in a monospaced font.
    pub fn fitted_mono(&mut self, class: &str, x: i32, y: i32, width: i32, px: i32, text: &str) {
        self.text(class, x, y, &shorten_mono(text, f64::from(px), f64::from(width)));
    }

    /// A box with round corners.
    pub fn rect(&mut self, class: &str, (x, y, w, h): (i32, i32, i32, i32), rx: i32) {
        let _ =
            write!(self.0, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{rx}\"/>");
    }

    /// A path.
    pub fn path(&mut self, class: &str, d: &str) {
        let _ = write!(self.0, "<path class=\"{class}\" d=\"{d}\"/>");
    }
}

/// A text inside XML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
