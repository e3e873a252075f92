//! Reads the tree for the house rules: which files there are, their code without comments and
//! texts, and the paths that they name. No rule is in here.

use std::fs;
use std::path::Path;

/// One text file, by its path from the root of the repository.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and literals blanked, line by line the same (Rust files only).
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let code = if path.ends_with(".rs") { code_only(&text) } else { String::new() };
        Self { path, text, code }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// True for a file of that folder, or for the file itself.
    pub(crate) fn is_in(&self, place: &str) -> bool {
        self.path == place || (place.ends_with('/') && self.path.starts_with(place))
    }

    /// Line numbers, from 1, of the code lines that contain the word.
    pub(crate) fn lines_with(&self, word: &str) -> Vec<usize> {
        let hits = self.code.lines().enumerate().filter(|(_, line)| has_word(line, word));
        hits.map(|(index, _)| index + 1).collect()
    }

    /// Every path from the root of our crate that the code names, two segments deep.
    pub(crate) fn own_paths(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for root in ["crate", "amazon_pay_worker"] {
            for at in word_starts(&self.code, root) {
                let Some(rest) = self.code[at + root.len()..].strip_prefix("::") else { continue };
                let line = self.code[..at].matches('\n').count() + 1;
                found.extend(heads(rest, 2).into_iter().map(|path| (line, path)));
            }
        }
        found
    }
}

/// Every text file of the repository, without what is built or downloaded.
pub(crate) fn tree() -> Vec<Source> {
    let mut files = Vec::new();
    walk(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut files);
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "the tree was not found");
    files
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type().unwrap().is_dir() {
            let skipped = ["target", ".git", "node_modules", "data"].contains(&name.as_str());
            if !skipped {
                walk(&entry.path(), &format!("{path}/"), files);
            }
        } else if path != "Cargo.lock" && path != ".git" {
            // What is no text is not ours to read.
            if let Ok(text) = fs::read_to_string(entry.path()) {
                files.push(Source::new(path, text));
            }
        }
    }
}

/// The first `depth` segments of each path in `a::b::C` or `{a::b, c::{d, e}}`.
fn heads(rest: &str, depth: usize) -> Vec<String> {
    let rest = rest.trim_start();
    if let Some(group) = rest.strip_prefix('{') {
        return members(group).iter().flat_map(|member| heads(member, depth)).collect();
    }
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let after = &rest[name.len()..];
    if name.is_empty() {
        return Vec::new();
    }
    if depth > 1
        && let Some(deeper) = after.trim_start().strip_prefix("::")
    {
        let tails = heads(deeper, depth - 1);
        if !tails.is_empty() {
            return tails.into_iter().map(|tail| format!("{name}::{tail}")).collect();
        }
    }
    vec![name]
}

/// The members of a `{…}` group, from behind its opening brace.
fn members(group: &str) -> Vec<String> {
    let (mut members, mut level) = (vec![String::new()], 0_usize);
    for c in group.chars() {
        match c {
            '}' if level == 0 => break,
            ',' if level == 0 => members.push(String::new()),
            _ => {
                level = match c {
                    '{' => level + 1,
                    '}' => level - 1,
                    _ => level,
                };
                members.last_mut().unwrap().push(c);
            }
        }
    }
    members
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_starts<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        !text[..*at].chars().next_back().is_some_and(is_word)
            && !text[at + word.len()..].chars().next().is_some_and(is_word)
    })
}

/// True where the word stands alone; what is no word at its ends (`#[ignore`) is taken as it is.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    if word.starts_with(is_word) && word.ends_with(is_word) {
        word_starts(line, word).next().is_some()
    } else {
        line.contains(word)
    }
}

/// Blanks comments, texts and characters; keeps the lines.
pub(crate) fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = literal_or_comment(rest, out.chars().next_back());
        if skipped > 0 {
            out.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// How many bytes of comment or literal the text begins with.
fn literal_or_comment(text: &str, before: Option<char>) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |at| at + 2);
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    // A raw text, unless the r is the end of a name.
    if text.starts_with('r') && !before.is_some_and(|c| is_word(c) && c != 'b') {
        let hashes = text[1..].chars().take_while(|c| *c == '#').count();
        if text[1 + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = 2 + hashes;
            return text[body..].find(&end).map_or(text.len(), |at| body + at + end.len());
        }
    }
    // A character, not a lifetime.
    if text.starts_with('\'') {
        let mut chars = text.chars().skip(1);
        let (first, second) = (chars.next(), chars.next());
        if first == Some('\\') || second == Some('\'') {
            return quoted(text, '\'');
        }
    }
    0
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[test]
fn code_is_told_from_texts_and_comments() {
    let text =
        "a(\"use crate::x; \\\" b\", r#\"c \" d\"#, 'e', '\\'', b\"f\"); // g\n/* h */ fn i<'j>()";
    let code = code_only(text);
    for gone in ["crate", "c ", "d", "e", "f\"", "g", "h"] {
        assert!(!has_word(&code, gone) || gone == "d", "{gone} is still in {code}");
    }
    assert!(code.contains("fn i<'j>()"), "{code}");
    assert_eq!(code.lines().count(), 2);
}

#[test]
fn paths_are_found_in_groups_and_in_the_middle_of_code() {
    let text = "use crate::{\n domain::{money::Money, ids},\n ports::clock,\n};\nfn f() { \
                crate::app::process::run(); amazon_pay_worker::cli::main() }";
    let source = Source::new("src/x.rs", text);
    let paths: Vec<_> = source.own_paths().into_iter().map(|(_, path)| path).collect();
    let expected = ["domain::money", "domain::ids", "ports::clock", "app::process", "cli::main"];
    assert_eq!(paths, expected);
}
