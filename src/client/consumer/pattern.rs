//! Patterns of topic names: the part of Java's regular expressions that people use for them.
//!
//! Understood: characters, `.`, `[a-z]`, `[^a-z]`, `\` before a character, `\d`, `\w`, groups, `|`, and `*`, `+`, `?`
//! after any of them. As with `Matcher.matches()` a name matches whole; `^` and `$` mean nothing more. Anything else
//! (counts in braces, look-around, lazy and possessive repetition) is refused.
//!
//! Matching backtracks; a name has at most 249 characters, and the budget bounds what a foolish pattern costs.

use std::rc::Rc;

/// A pattern.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pattern {
    text: Rc<str>,
    choices: Choices,
}

type Choices = Vec<Vec<Piece>>;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Piece {
    atom: Atom,
    at_least: u8,
    repeats: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Atom {
    Any,
    /// Ranges of characters; whether they are the ones that do not match.
    Class(Vec<(char, char)>, bool),
    Group(Choices),
}

/// Steps that one match may take.
const BUDGET: u32 = 100_000;
/// Groups within groups.
const DEPTH: u32 = 16;

impl Pattern {
    /// Reads a pattern; none if it is none of the kind above.
    pub fn parse(text: &str) -> Option<Pattern> {
        let mut parser = Parser { rest: text.chars().collect(), at: 0 };
        let choices = parser.choices(0)?;
        (parser.at == parser.rest.len()).then(|| Pattern { text: text.into(), choices })
    }

    /// As it was written.
    pub fn text(&self) -> &Rc<str> {
        &self.text
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let mut budget = BUDGET;
        match_choices(&self.choices, &name, 0, &mut budget, &mut |end, _| end == name.len())
    }
}

type Then<'a> = dyn FnMut(usize, &mut u32) -> bool + 'a;

fn match_choices(choices: &Choices, name: &[char], at: usize, budget: &mut u32, then: &mut Then<'_>) -> bool {
    choices.iter().any(|pieces| match_pieces(pieces, name, at, budget, then))
}

fn match_pieces(pieces: &[Piece], name: &[char], at: usize, budget: &mut u32, then: &mut Then<'_>) -> bool {
    match pieces.split_first() {
        None => then(at, budget),
        Some((piece, rest)) => {
            match_piece(piece, 0, name, at, budget, &mut |end, budget| match_pieces(rest, name, end, budget, then))
        }
    }
}

/// As many of the piece as possible, then what follows.
fn match_piece(piece: &Piece, done: u8, name: &[char], at: usize, budget: &mut u32, then: &mut Then<'_>) -> bool {
    let Some(left) = budget.checked_sub(1) else { return false };
    *budget = left;
    let more = piece.repeats || done == 0;
    let mut again = |end: usize, budget: &mut u32| {
        // What matched nothing once matches nothing again.
        end != at && match_piece(piece, 1, name, end, budget, then) || end == at && then(end, budget)
    };
    let taken = more
        && match &piece.atom {
            Atom::Group(choices) => match_choices(choices, name, at, budget, &mut again),
            Atom::Any => name.len() > at && again(at + 1, budget),
            Atom::Class(ranges, negated) => name.get(at).is_some_and(|c| {
                let within = ranges.iter().any(|(from, to)| (from..=to).contains(&c));
                within != *negated && again(at + 1, budget)
            }),
        };
    taken || done >= piece.at_least && then(at, budget)
}

struct Parser {
    rest: Vec<char>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += 1;
        next
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn choices(&mut self, depth: u32) -> Option<Choices> {
        let mut choices = vec![Vec::new()];
        while let Some(c) = self.peek().filter(|c| *c != ')') {
            self.at += 1;
            let atom = match c {
                '|' => {
                    choices.push(Vec::new());
                    continue;
                }
                '^' | '$' => continue,
                '*' | '+' | '?' | '{' | '}' => return None,
                '(' if depth < DEPTH => {
                    let _ = self.rest[self.at..].starts_with(&['?', ':']) && {
                        self.at += 2;
                        true
                    };
                    let group = self.choices(depth + 1)?;
                    if !self.eat(')') {
                        return None;
                    }
                    Atom::Group(group)
                }
                '(' => return None,
                '[' => self.class()?,
                '.' => Atom::Any,
                '\\' => self.escaped()?,
                c => Atom::Class(vec![(c, c)], false),
            };
            let piece = self.repeated(atom)?;
            choices.last_mut()?.push(piece);
        }
        Some(choices)
    }

    fn repeated(&mut self, atom: Atom) -> Option<Piece> {
        let (at_least, repeats) = match self.peek() {
            Some('*') => (0, true),
            Some('+') => (1, true),
            Some('?') => (0, false),
            _ => return Some(Piece { atom, at_least: 1, repeats: false }),
        };
        self.at += 1;
        Some(Piece { atom, at_least, repeats })
    }

    fn escaped(&mut self) -> Option<Atom> {
        Some(match self.next()? {
            'd' => Atom::Class(vec![('0', '9')], false),
            'w' => Atom::Class(vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')], false),
            c if c.is_ascii_alphanumeric() => return None,
            c => Atom::Class(vec![(c, c)], false),
        })
    }

    fn class(&mut self) -> Option<Atom> {
        let negated = self.eat('^');
        let mut ranges = Vec::new();
        while let Some(c) = self.next() {
            let from = match c {
                ']' if !ranges.is_empty() => return Some(Atom::Class(ranges, negated)),
                '[' | ']' | '&' => return None,
                '\\' => self.next().filter(|c| !c.is_ascii_alphanumeric())?,
                c => c,
            };
            let is_range = self.peek() == Some('-') && self.rest.get(self.at + 1).is_some_and(|next| *next != ']');
            let to = if is_range { self.rest[self.at + 1] } else { from };
            self.at += if is_range { 2 } else { 0 };
            if to < from {
                return None;
            }
            ranges.push((from, to));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).expect("a pattern").matches(name)
    }

    #[test]
    fn a_name_matches_whole() {
        assert!(matches("orders", "orders") && !matches("orders", "orders-eu") && !matches("orders", "reorders"));
        assert!(matches("^orders$", "orders") && matches("", ""));
    }

    #[test]
    fn what_people_write_for_topics() {
        for (pattern, yes, no) in [
            ("orders.*", "orders-eu", "invoices"),
            ("(orders|invoices)-v[0-9]+", "invoices-v12", "orders-v"),
            (r"shop\.\w+", "shop.orders", "shopxorders"),
            ("[^_].*", "orders", "__consumer_offsets"),
            ("orders(-eu)?", "orders-eu", "orders-us"),
            ("(a*)*b", "aab", "aac"),
            ("a+a", "aa", "a"),
            (r"retry-\d", "retry-5", "retry-x"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(!matches(pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for pattern in ["*", "a**", "(", ")", "[", "[]", "a{2}", r"\p", "[z-a]", "(?=a)"] {
            assert_eq!(Pattern::parse(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn a_foolish_pattern_costs_little() {
        assert!(!matches("(a|a)*(a|a)*(a|a)*b", &"a".repeat(200)));
    }
}
