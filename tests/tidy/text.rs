//! Sizes and words: what a reader's patience bears, and what has no place in this repository.

use crate::assert_none;
use crate::source::{Source, has_word, tree};

const LINES_MAX: usize = 400;
const TEST_LINES_MAX: usize = 600;
const COLUMNS_MAX: usize = 100;
const MODULE_DOC_MAX: usize = 12;

#[test]
fn files_are_short() {
    let mut found = Vec::new();
    for file in tree().iter().filter(|file| file.is_rust()) {
        let is_test = file.path.contains("tests/") || file.path.ends_with("/tests.rs");
        let max = if is_test { TEST_LINES_MAX } else { LINES_MAX };
        let lines = file.text.lines().count();
        if lines > max {
            found.push(format!("{}: {lines} lines, {max} are allowed", file.path));
        }
    }
    assert_none(found, "split it: one public idea per file, on top, its helpers below");
}

#[test]
fn lines_are_short() {
    let mut found = Vec::new();
    for file in tree().iter().filter(|file| file.is_rust() || is_script(file)) {
        for (index, line) in file.text.lines().enumerate() {
            if line.chars().count() > COLUMNS_MAX {
                found.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    assert_none(found, "at most 100 columns: break the text with \\ or concat!, name a part of it");
}

fn is_script(file: &Source) -> bool {
    file.text.starts_with("#!")
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut found = Vec::new();
    for file in tree().iter().filter(|file| file.is_rust()) {
        let doc = file.text.lines().take_while(|line| line.starts_with("//!")).count();
        if doc == 0 {
            found.push(format!("{}: no module doc on its first line", file.path));
        }
        if doc > MODULE_DOC_MAX {
            found.push(format!("{}: a module doc of {doc} lines", file.path));
        }
    }
    assert_none(found, "two to six lines of //! on top: what it is for, what it must never do");
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    let words = ["#[ignore", "todo!", "unimplemented!", "dbg!"];
    let mut found = Vec::new();
    for file in tree().iter().filter(|file| file.is_rust() && !file.is_in("tests/tidy/")) {
        for word in words {
            found.extend(file.lines_with(word).iter().map(|n| format!("{}:{n} {word}", file.path)));
        }
    }
    assert_none(found, "finish it or take it out; a test that needs a service asks tests/support");
}

#[test]
fn what_is_to_be_done_has_a_number() {
    let marks = ["TODO", "FIXME", "HACK"];
    let mut found = Vec::new();
    for file in tree().iter().filter(|file| !file.is_in("tests/tidy/")) {
        for (index, line) in file.text.lines().enumerate() {
            let Some(mark) = marks.iter().find(|mark| has_word(line, mark)) else { continue };
            let behind = line.split_once(mark).map_or("", |(_, behind)| behind);
            let numbered = behind
                .strip_prefix("(#")
                .is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()));
            if !numbered {
                found.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    assert_none(found, "write TODO(#123) with the issue's number, or do it now");
}

/// Split, so that this file does not find itself.
const MACHINE: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/tm", "p/wt"),
    concat!("/tm", "p/team"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
    concat!("pypi.", "org"),
    concat!("files.python", "hosted.org"),
    concat!("registry.", "npmjs.org"),
    concat!("deb.", "debian.org"),
];

/// True where the line has the word as the beginning of a path or a host's name.
fn begins_in(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-}".contains(c);
    line.match_indices(word).any(|(at, _)| !line[..at].chars().next_back().is_some_and(inside))
}

#[test]
fn nothing_names_somebodys_machine_or_a_registry() {
    let mut found = Vec::new();
    for file in &tree() {
        for (index, line) in file.text.lines().enumerate() {
            for word in MACHINE.iter().filter(|word| begins_in(line, word)) {
                found.push(format!("{}:{} has {word}", file.path, index + 1));
            }
        }
    }
    assert_none(found, "name packages, not where they come from; paths start at the repository");
}

#[test]
fn allowances_in_tests_are_for_whole_binaries() {
    // A helper of a test is no test function: the lints that spare those do not spare it.
    let mut found = Vec::new();
    for file in tree().iter().filter(|file| file.path.ends_with("/main.rs") && file.is_in("tests/"))
    {
        if !file.text.contains("#![allow(clippy::unwrap_used") {
            found.push(file.path.clone());
        }
    }
    let line = "#![allow(clippy::unwrap_used, clippy::expect_used, reason = \"…\")]";
    assert_none(found, &format!("put one {line} at the root of the test binary"));
}

#[test]
fn every_alert_has_its_page_and_its_metric() {
    let files = tree();
    let text = |path: &str| &files.iter().find(|file| file.path == path).expect(path).text;
    let (alerts, pages) = (text("deploy/alerts.yml"), text("deploy/runbook.md"));
    let names =
        |text: &'static str| move |line: &str| Some(line.trim().strip_prefix(text)?.to_owned());
    let alerting: Vec<_> = alerts.lines().filter_map(names("- alert: ")).collect();
    let explained: Vec<_> = pages.lines().filter_map(names("## ")).collect();
    assert_eq!(alerting, explained, "one section of deploy/runbook.md for each alert, in order");

    // `amazon_pay.outbox.age` in seconds is `amazon_pay_outbox_age_seconds` on the page.
    let telemetry: String =
        files.iter().filter(|file| file.is_in("src/telemetry/")).map(|file| &*file.text).collect();
    let known: Vec<_> = telemetry.split('"').map(|word| word.replace('.', "_")).collect();
    let words = alerts.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let unknown = words.filter(|word| word.starts_with("amazon_pay_")).filter(|word| {
        let name = ["_bucket", "_total", "_seconds"].iter();
        let name = name.fold(*word, |name, end| name.strip_suffix(end).unwrap_or(name));
        !known.iter().any(|known| known == name)
    });
    let unknown: Vec<_> = unknown.map(str::to_owned).collect();
    assert_none(unknown, "alert on metrics that src/telemetry has");
}
