//! Amazon's XML as a tree: by local name, in any order, with whatever else stands in it. One pass,
//! borrowing from the body. It knows no operation; it only tells a document that was cut off from
//! one that is no XML, because the first may hide an effect that happened.

use std::borrow::Cow;

use quick_xml::errors::IllFormedError;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use quick_xml::{Error, escape};

/// Elements of a document and levels below its root: far above what Amazon sends.
const ELEMENTS_MAX: usize = 4096;
const DEPTH_MAX: usize = 32;

/// Why bytes are not a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// It ends before its root element does.
    Truncated,
    /// It is something else.
    Garbled,
}

struct Node<'i> {
    name: &'i str,
    text: Cow<'i, str>,
    /// Index behind its last descendant.
    end: usize,
}

/// A whole document.
pub(super) struct Document<'i> {
    nodes: Vec<Node<'i>>,
}

/// An element of a document.
#[derive(Clone, Copy)]
pub(super) struct Element<'d> {
    nodes: &'d [Node<'d>],
    at: usize,
}

impl<'i> Document<'i> {
    /// Reads a document to its end.
    pub(super) fn parse(body: &'i [u8]) -> Result<Self, Broken> {
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            // Cut within a character.
            Err(error) if error.error_len().is_none() => return Err(Broken::Truncated),
            Err(_) => return Err(Broken::Garbled),
        };
        let text = text.trim_start_matches('\u{feff}');
        let mut tree = Tree { text, nodes: Vec::with_capacity(64), open: Vec::with_capacity(8) };
        let mut reader = Reader::from_str(text);
        loop {
            match reader.read_event() {
                Ok(Event::Eof) => return tree.finish(),
                Ok(event) => tree.take(event)?,
                // The reader's syntax errors are all of one kind: the input ended too early.
                Err(Error::Syntax(_)) => return Err(Broken::Truncated),
                Err(Error::IllFormed(IllFormedError::UnclosedReference))
                    if reader.buffer_position() >= text.len() as u64 =>
                {
                    return Err(Broken::Truncated);
                }
                Err(_) => return Err(Broken::Garbled),
            }
        }
    }

    /// The root element.
    pub(super) fn root(&self) -> Element<'_> {
        Element { nodes: &self.nodes, at: 0 }
    }
}

impl<'d> Element<'d> {
    /// Its local name.
    pub(super) fn name(&self) -> &'d str {
        self.nodes[self.at].name
    }

    /// Its own text without the space around it; none where there is nothing left.
    pub(super) fn text(&self) -> Option<&'d str> {
        let text = self.nodes[self.at].text.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The elements directly inside.
    pub(super) fn children(&self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        let nodes = self.nodes;
        let end = nodes[self.at].end;
        let next = move |at: usize| (at < end).then_some(Element { nodes, at });
        std::iter::successors(next(self.at + 1), move |child| next(nodes[child.at].end))
    }

    /// The first element directly inside that has this name.
    pub(super) fn child(&self, name: &str) -> Option<Element<'d>> {
        self.children().find(|child| child.name() == name)
    }

    /// The text of such an element.
    pub(super) fn text_of(&self, name: &str) -> Option<&'d str> {
        self.child(name).and_then(|child| child.text())
    }
}

struct Tree<'i> {
    text: &'i str,
    nodes: Vec<Node<'i>>,
    open: Vec<usize>,
}

impl<'i> Tree<'i> {
    /// Takes the next piece.
    fn take(&mut self, event: Event<'i>) -> Result<(), Broken> {
        match event {
            Event::Start(start) => {
                let at = self.begin(&start)?;
                self.open.push(at);
            }
            Event::Empty(start) => {
                self.begin(&start)?;
            }
            Event::End(_) => {
                let Some(at) = self.open.pop() else { return Err(Broken::Garbled) };
                self.nodes[at].end = self.nodes.len();
            }
            Event::Text(text) => self.append(text.xml10_content())?,
            Event::CData(text) => self.append(text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let resolved = resolve(&reference).ok_or(Broken::Garbled)?;
                self.append(resolved)?;
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<usize, Broken> {
        let second_root = self.open.is_empty() && !self.nodes.is_empty();
        if second_root || self.open.len() > DEPTH_MAX || self.nodes.len() >= ELEMENTS_MAX {
            return Err(Broken::Garbled);
        }
        let at = self.nodes.len();
        let name = self.slice(start.local_name().into_inner()).ok_or(Broken::Garbled)?;
        self.nodes.push(Node { name, text: Cow::Borrowed(""), end: at + 1 });
        Ok(at)
    }

    /// The same text with the lifetime of the document: the reader borrows from it, but says so
    /// only of texts, not of names.
    fn slice(&self, part: &str) -> Option<&'i str> {
        let from = part.as_ptr().addr().checked_sub(self.text.as_ptr().addr())?;
        self.text.get(from..from + part.len()).filter(|found| *found == part)
    }

    fn append(&mut self, text: Cow<'i, str>) -> Result<(), Broken> {
        let blank = text.trim().is_empty();
        let Some(at) = self.open.last() else {
            // Only space may stand outside the root.
            return if blank { Ok(()) } else { Err(Broken::Garbled) };
        };
        let own = &mut self.nodes[*at].text;
        if !own.is_empty() {
            own.to_mut().push_str(&text);
        } else if !blank {
            *own = text;
        }
        Ok(())
    }

    fn finish(self) -> Result<Document<'i>, Broken> {
        if self.nodes.is_empty() || !self.open.is_empty() {
            return Err(Broken::Truncated);
        }
        Ok(Document { nodes: self.nodes })
    }
}

fn resolve(reference: &BytesRef<'_>) -> Option<Cow<'static, str>> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => Some(Cow::Owned(character.to_string())),
        Ok(None) => escape::resolve_xml_entity(reference).map(Cow::Borrowed),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "<?xml version=\"1.0\"?>\n<n:R xmlns:n=\"http://x\" a='1>2'><!-- c -->\
        <A><B>one</B><C/></A><n:A> two &amp; &#x33;<![CDATA[<4>]]> </n:A><D>\n </D></n:R>\n";

    fn parse(text: &str) -> Result<Document<'_>, Broken> {
        Document::parse(text.as_bytes())
    }

    #[test]
    fn elements_are_found_by_local_name_and_texts_are_whole() {
        for document in [DOCUMENT.to_owned(), format!("\u{feff}{DOCUMENT}")] {
            let document = parse(&document).unwrap();
            let root = document.root();
            assert_eq!(root.name(), "R");
            let names: Vec<_> = root.children().map(|child| child.name()).collect();
            assert_eq!(names, ["A", "A", "D"]);
            assert_eq!(root.child("A").unwrap().text_of("B"), Some("one"));
            assert!(root.child("A").unwrap().child("C").is_some());
            assert_eq!(root.child("A").unwrap().text_of("C"), None);
            let texts: Vec<_> = root.children().map(|child| child.text()).collect();
            assert_eq!(texts, [None, Some("two & 3<4>"), None]);
            assert!(root.child("B").is_none(), "only what is directly inside");
        }
    }

    #[test]
    fn wherever_it_is_cut_it_is_truncated_and_never_a_document() {
        let whole = DOCUMENT.trim_end();
        for cut in 0..whole.len() {
            let part = &whole.as_bytes()[..cut];
            assert_eq!(Document::parse(part).err(), Some(Broken::Truncated), "{cut}: {whole}");
        }
        let cut_in_a_character = "<R>ü".as_bytes().split_last().unwrap().1;
        assert_eq!(Document::parse(cut_in_a_character).err(), Some(Broken::Truncated));
    }

    #[test]
    fn what_is_no_xml_is_garbled() {
        for text in ["OK", "{\"a\":1}", "<a></b>", "<a/><b/>", "<a>&nbsp;</a>", "<a/>more"] {
            assert_eq!(parse(text).err(), Some(Broken::Garbled), "{text}");
        }
        assert_eq!(Document::parse(b"<a>\xff</a>").err(), Some(Broken::Garbled));
        let deep = "<a>".repeat(DEPTH_MAX + 2);
        assert_eq!(parse(&deep).err(), Some(Broken::Garbled));
        let wide = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS_MAX));
        assert_eq!(parse(&wide).err(), Some(Broken::Garbled));
    }
}
