//! Which module may name which: the arrows of ARCHITECTURE.md, checked file by file.

use crate::assert_none;
use crate::source::{Source, tree};

/// Files of a place, and which of our modules they may never name.
struct Ban {
    place: &'static str,
    never: &'static [&'static str],
    mend: &'static str,
}

const OUTER: &[&str] = &["adapters", "wiring", "cli", "roles"];

const BANS: &[Ban] = &[
    Ban {
        place: "src/contract/",
        never: &["adapters", "app", "cli", "roles", "wiring"],
        mend: "messages know the domain and the ports: convert there, act elsewhere",
    },
    Ban {
        place: "src/ports/",
        never: &["adapters", "app", "cli", "roles", "wiring"],
        mend: "a port is spoken in words of the domain: move the type into domain/ or ports/",
    },
    Ban {
        place: "src/app/",
        never: OUTER,
        mend: "ask through a trait of ports/; wiring.rs puts the adapter behind it",
    },
    Ban {
        place: "src/roles/",
        never: &["adapters", "wiring", "cli"],
        mend: "ask through a trait of ports/; wiring.rs puts the adapter behind it",
    },
    Ban {
        place: "src/config/",
        never: OUTER,
        mend: "configuration is values: whoever needs them takes them",
    },
    Ban {
        place: "src/telemetry/",
        never: OUTER,
        mend: "telemetry is told what happened: it knows nobody",
    },
    Ban {
        place: "src/adapters/",
        never: &["app", "wiring", "cli", "roles"],
        mend: "an adapter sees domain/ and ports/ only; what it is told comes as an argument",
    },
];

/// May name a concrete adapter: the composition root, and the commands that call it.
const NAME_ADAPTERS: &[&str] =
    &["src/adapters/", "src/wiring.rs", "src/wiring/", "src/cli/", "src/cli.rs"];

fn outside(files: &[Source], place: &str, allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && file.is_in(place)) {
        for (line, path) in file.own_paths() {
            if !allowed(&path) {
                found.push(format!("{}:{line} names {path}", file.path));
            }
        }
    }
    found
}

fn first(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

#[test]
fn the_domain_imports_nothing_of_ours() {
    assert_none(
        outside(&tree(), "src/domain/", |path| first(path) == "domain"),
        "the core is pure: hand it a value instead, or move the type into domain/",
    );
}

#[test]
fn the_domain_knows_no_clock_no_chance_no_network_and_no_format() {
    let words = [
        "async",
        "await",
        "serde",
        "tokio",
        "sea_orm",
        "SystemTime",
        "Instant",
        "std::fs",
        "std::net",
    ];
    let mut found = Vec::new();
    let pure = |file: &&Source| file.is_in("src/domain/") || file.is_in("money/src/");
    for file in tree().iter().filter(|file| file.is_rust()).filter(pure) {
        for word in words {
            for line in file.lines_with(word) {
                found.push(format!("{}:{line} says {word}", file.path));
            }
        }
    }
    assert_none(found, "inputs and effects of the core are values: do this in app/ or an adapter");
}

#[test]
fn arrows_point_inwards() {
    let files = tree();
    for ban in BANS {
        let found = outside(&files, ban.place, |path| !ban.never.contains(&first(path)));
        assert_none(found, ban.mend);
    }
}

#[test]
fn the_simulator_shares_nothing_with_the_product_but_money() {
    let files = tree();
    let manifest = files.iter().find(|file| file.path == "simulator/Cargo.toml").expect("a crate");
    let ours = manifest.text.lines().filter(|line| line.starts_with("amazon-pay-"));
    assert_eq!(
        ours.collect::<Vec<_>>(),
        ["amazon-pay-money = { path = \"../money\" }"],
        "two readings of Amazon's documents that share code prove nothing: write it again",
    );
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_in("simulator/src/")) {
        // Code of another crate can be taken without a dependency, too.
        let taken = file.lines_with("#[path").into_iter().chain(file.lines_with("include!"));
        found.extend(taken.map(|line| format!("{}:{line}", file.path)));
    }
    assert_none(found, "the simulator is made of its own files");
}

#[test]
fn only_the_wiring_names_adapters() {
    let mut found = Vec::new();
    for file in tree().iter().filter(|file| file.is_rust() && file.is_in("src/")) {
        if NAME_ADAPTERS.iter().any(|place| file.is_in(place)) {
            continue;
        }
        let named = file.own_paths().into_iter().filter(|(_, path)| first(path) == "adapters");
        found.extend(named.map(|(line, path)| format!("{}:{line} names {path}", file.path)));
    }
    assert_none(
        found,
        "take a trait of ports/ as an argument; wiring.rs decides which adapter it is",
    );
}

#[test]
fn adapters_do_not_know_each_other() {
    let mut found = Vec::new();
    for file in tree().iter().filter(|file| file.is_rust() && file.is_in("src/adapters/")) {
        let own = file.path.trim_start_matches("src/adapters/").trim_end_matches(".rs");
        let own = format!("adapters::{}", own.split('/').next().unwrap_or(own));
        for (line, path) in file.own_paths() {
            if first(&path) == "adapters" && path != own {
                found.push(format!("{}:{line} names {path}", file.path));
            }
        }
    }
    assert_none(found, "what two adapters share is a port, or belongs to the domain");
}

#[test]
fn paths_to_other_modules_start_at_the_crate() {
    let mut found = Vec::new();
    let crates = ["src/", "simulator/src/"];
    for file in tree().iter().filter(|file| file.is_rust()) {
        let Some(within) = crates.iter().find_map(|root| file.path.strip_prefix(root)) else {
            continue;
        };
        // So many times `super` is the root, from where any module can be named.
        let depth = within.trim_end_matches("/mod.rs").matches('/').count() + 1;
        let tests_from = file.lines_with("mod tests").first().copied().unwrap_or(usize::MAX);
        let climbs = |levels: usize| file.lines_with(&vec!["super"; levels].join("::"));
        let code = climbs(depth).into_iter().filter(|line| *line < tests_from && depth > 1);
        let tests = climbs(depth + 1).into_iter().filter(|line| *line > tests_from);
        found.extend(code.chain(tests).map(|line| format!("{}:{line}", file.path)));
    }
    assert_none(found, "write crate::…, so that a reader and this test see where it leads");
}

/// A foreign crate (or a derive), the places that may name it, and what to do elsewhere.
const KEPT: &[(&[&str], &[&str], &str)] = &[
    (
        &["Serialize", "Deserialize"],
        // All of the simulator's control/ is the wire of /_sim.
        &["src/contract/", "src/config/", "simulator/src/control/", "wire.rs", "wire/"],
        "formats live at the edges: contract/ for messages, a wire.rs for somebody's API",
    ),
    (
        &["sea_orm"],
        &["src/adapters/database/", "src/adapters/embedded/"],
        "rows are the store's own matter: speak ports::store",
    ),
    (&["lapin"], &["src/adapters/rabbitmq/"], "speak ports::broker"),
    (&["backoff"], &["src/adapters/schedule.rs"], "ask ports::clock::Schedule for the wait"),
    (
        &["rpassword", "clap"],
        &["src/cli/", "src/cli.rs", "src/main.rs", "src/config/"],
        "ask in cli/",
    ),
    (
        &["amazon_pay_simulator"],
        &["src/cli/demo/", "src/cli/simulator.rs", "simulator/src/"],
        "the worker speaks to it as to Amazon: by HTTP",
    ),
];

#[test]
fn foreign_crates_stay_behind_their_door() {
    let mut found = Vec::new();
    let ours = |file: &&Source| file.is_in("src/") || file.is_in("simulator/src/");
    for file in tree().iter().filter(|file| file.is_rust()).filter(ours) {
        for (words, places, mend) in KEPT {
            // A place without src/ in it is a file's or folder's name, wherever it is.
            let allowed = |place: &str| {
                file.is_in(place) || (!place.contains("src/") && file.path.contains(place))
            };
            if places.iter().any(|place| allowed(place)) {
                continue;
            }
            for word in *words {
                // A crate is named by a path, a derive by its word.
                let is_crate = word.chars().all(|c| c.is_lowercase() || c == '_');
                let named = if is_crate { format!("{word}::") } else { (*word).to_owned() };
                for line in file.lines_with(&named) {
                    found.push(format!("{}:{line} names {word}: {mend}", file.path));
                }
            }
        }
    }
    assert_none(found, "or, with an argument, add the place to KEPT in tests/tidy/arrows.rs");
}

#[test]
fn the_rules_can_fail() {
    let file =
        Source::new("src/app/x.rs", "use crate::{domain::money, adapters::database::Store};");
    let found = outside(&[file], "src/app/", |path| !OUTER.contains(&first(path)));
    assert_eq!(found, ["src/app/x.rs:1 names adapters::database"]);
}
