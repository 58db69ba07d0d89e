//! As much of HTML as hand-written pages need: tags, attributes, text. What a browser would silently mend is a complaint here.

use std::collections::BTreeMap;

/// Elements that have no end.
const VOID: &[&str] = &["meta", "link", "br", "img", "hr", "input"];

/// An element's start, in the order of the page.
#[derive(Clone, Debug)]
pub struct Element {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    /// Names of the elements around it, outermost first.
    pub inside: Vec<String>,
    /// Which element of the list is around it.
    pub parent: Option<usize>,
    /// The text in it, that of its children too.
    pub text: String,
    pub line: usize,
}

impl Element {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// A page's elements, and what is wrong with its form.
pub struct Page {
    pub elements: Vec<Element>,
    pub complaints: Vec<String>,
}

impl Page {
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |it| it.name == name)
    }
}

/// Reads a page (or the HTML in a Markdown file, whose other text is text).
pub fn read(text: &str) -> Page {
    let mut reader = Reader { rest: text, line: 1, open: Vec::new(), elements: Vec::new(), complaints: Vec::new() };
    while reader.next() {}
    for at in std::mem::take(&mut reader.open) {
        let Element { name, line, .. } = &reader.elements[at];
        reader.complaints.push(format!("line {line}: <{name}> has no end"));
    }
    Page { elements: reader.elements, complaints: reader.complaints }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    open: Vec<usize>,
    elements: Vec<Element>,
    complaints: Vec<String>,
}

impl<'a> Reader<'a> {
    fn complain(&mut self, what: String) {
        self.complaints.push(format!("line {}: {what}", self.line));
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn next(&mut self) -> bool {
        if self.rest.is_empty() {
            return false;
        }
        let text = self.take(self.rest.find('<').unwrap_or(self.rest.len()));
        let text = unescape(text).unwrap_or_else(|problem| {
            self.complain(problem);
            String::new()
        });
        for &at in &self.open {
            self.elements[at].text.push_str(&text);
        }
        if self.rest.starts_with("<!") {
            self.take(self.rest.find('>').map_or(self.rest.len(), |end| end + 1));
        } else if self.rest.starts_with("</") {
            self.end();
        } else if self.rest.len() > 1 && self.rest.as_bytes()[1].is_ascii_lowercase() {
            self.start();
        } else if !self.rest.is_empty() {
            self.complain("a lone <".to_owned());
            self.take(1);
        }
        true
    }

    fn end(&mut self) {
        let tag = self.take(self.rest.find('>').map_or(self.rest.len(), |end| end + 1));
        let name = tag.trim_start_matches("</").trim_end_matches('>');
        match self.open.pop() {
            Some(at) if self.elements[at].name == name => {}
            Some(at) => {
                let open = self.elements[at].name.clone();
                self.complain(format!("</{name}> where <{open}> is open"));
            }
            None => self.complain(format!("</{name}> without a beginning")),
        }
    }

    fn start(&mut self) {
        let line = self.line;
        self.take(1);
        let name = self.take(self.rest.find(|it: char| it.is_whitespace() || matches!(it, '>' | '/')).unwrap_or(0));
        let mut attributes = BTreeMap::new();
        loop {
            self.take(self.rest.len() - self.rest.trim_start().len());
            if self.rest.is_empty() || self.rest.starts_with('>') {
                break;
            }
            let (key, value) = self.attribute();
            if attributes.insert(key.clone(), value).is_some() {
                self.complain(format!("{key} is twice in <{name}>"));
            }
        }
        self.take(usize::from(!self.rest.is_empty()));
        let inside = self.open.iter().map(|&at| self.elements[at].name.clone()).collect();
        let parent = self.open.last().copied();
        if !VOID.contains(&name) {
            self.open.push(self.elements.len());
        }
        self.elements.push(Element { name: name.to_owned(), attributes, inside, parent, text: String::new(), line });
    }

    /// `name="value"`, or `name`.
    fn attribute(&mut self) -> (String, String) {
        let end = self.rest.find(|it: char| it.is_whitespace() || matches!(it, '>' | '='));
        let key = self.take(end.unwrap_or(self.rest.len()).max(1)).to_owned();
        if !self.rest.starts_with('=') {
            return (key, String::new());
        }
        self.take(1);
        let Some(length) = self.rest.strip_prefix('"').and_then(|rest| rest.find('"')) else {
            self.complain(format!("the value of {key} is not in double quotes"));
            self.take(self.rest.find('>').unwrap_or(self.rest.len()));
            return (key, String::new());
        };
        let value = &self.take(length + 2)[1..=length];
        match unescape(value) {
            Ok(value) => (key, value),
            Err(problem) => {
                self.complain(format!("{key}: {problem}"));
                (key, String::new())
            }
        }
    }
}

/// Resolves the entities that our pages use; any other & is a mistake.
fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut parts = text.split('&');
    out.push_str(parts.next().unwrap_or(""));
    for part in parts {
        let known = [("amp;", "&"), ("lt;", "<"), ("gt;", ">"), ("quot;", "\"")];
        let Some((rest, sign)) = known.iter().find_map(|(name, sign)| Some((part.strip_prefix(name)?, sign))) else {
            return Err(format!(
                "&{} is no entity we know: write &amp; for &",
                part.chars().take(12).collect::<String>()
            ));
        };
        out.push_str(sign);
        out.push_str(rest);
    }
    Ok(out)
}

#[test]
fn pages_are_read_and_what_is_wrong_is_named() {
    let page = read("<!doctype html>\n<p class=\"a\" hidden>x &amp; <b>y</b>\n<br>z</p>");
    assert_eq!(page.complaints, Vec::<String>::new());
    let [p, b, br] = page.elements.as_slice() else { panic!("{:?}", page.elements) };
    assert_eq!((p.text.as_str(), p.get("class"), p.get("hidden")), ("x & y\nz", Some("a"), Some("")));
    assert_eq!((b.inside.as_slice(), b.parent, br.line), (["p".to_owned()].as_slice(), Some(0), 3));
    for (text, problem) in [
        ("<p>", "line 1: <p> has no end"),
        ("\n</p>", "line 2: </p> without a beginning"),
        ("<p></b>", "line 1: </b> where <p> is open"),
        ("<p a=b></p>", "line 1: the value of a is not in double quotes"),
        ("<p a a></p>", "line 1: a is twice in <p>"),
        ("<p>a & b</p>", "line 1: & b is no entity we know: write &amp; for &"),
        ("1 < 2", "line 1: a lone <"),
    ] {
        assert_eq!(read(text).complaints.first().map(String::as_str), Some(problem), "{text}");
    }
}
