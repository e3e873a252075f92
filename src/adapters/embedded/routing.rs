//! Which queues take a message: the lanes by the keys of their port, other queues by name or by
//! their bindings to the events.

use std::collections::{BTreeSet, HashSet};

use crate::ports::broker::{Lane, Publication, PublishError, Target};

/// A pattern of a topic exchange: words between dots, `*` for one, `#` for any number.
pub(super) fn takes(pattern: &str, key: &str) -> bool {
    let pattern: Vec<_> = pattern.split('.').collect();
    // An empty key is no word at all.
    let key: Vec<_> = if key.is_empty() { Vec::new() } else { key.split('.').collect() };
    words_match(&pattern, &key)
}

fn words_match(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern.split_first(), key.split_first()) {
        (None, None) => true,
        (Some((&"#", rest)), None) => words_match(rest, key),
        (Some((&"#", rest)), Some((_, later))) => {
            words_match(rest, key) || words_match(pattern, later)
        }
        (Some((&word, rest)), Some((&first, later))) => {
            (word == "*" || word == first) && words_match(rest, later)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The queues that exist beside the lanes.
#[derive(Default)]
pub(super) struct Queues {
    pub(super) names: HashSet<String>,
    /// Pattern and queue.
    pub(super) bindings: Vec<(String, String)>,
}

fn lane_of(key: &str) -> Lane {
    let takes_key = |lane: &Lane| lane.keys().iter().any(|pattern| takes(pattern, key));
    Lane::ALL.into_iter().find(takes_key).unwrap_or(Lane::Unroutable)
}

/// The queues for a publication; none is fine for an event only.
pub(super) fn route(
    publication: &Publication,
    queues: &Queues,
) -> Result<Vec<String>, PublishError> {
    let key = publication.message.routing_key.as_str();
    match &publication.target {
        // A message waits for its time where it will be taken from.
        Target::Commands | Target::Retry(_) => Ok(vec![lane_of(key).queue().to_owned()]),
        Target::Events => {
            let bound = queues.bindings.iter().filter(|(pattern, _)| takes(pattern, key));
            let bound: BTreeSet<_> = bound.map(|(_, queue)| queue.clone()).collect();
            Ok(bound.into_iter().collect())
        }
        Target::Queue(name) => {
            let is_lane = Lane::ALL.iter().any(|lane| lane.queue() == name);
            if is_lane || queues.names.contains(name) {
                Ok(vec![name.clone()])
            } else {
                Err(PublishError::Unroutable)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_what_a_topic_exchange_would() {
        let cases = [
            ("order.import", "order.import", true),
            ("order.import", "order.imports", false),
            ("order.import", "order", false),
            ("notification.*", "notification.mws", true),
            ("notification.*", "notification", false),
            ("notification.*", "notification.a.b", false),
            ("#", "", true),
            ("#", "a.b.c", true),
            ("order.#", "order", true),
            ("order.#", "order.a.b", true),
            ("#.paid", "order.paid", true),
            ("#.paid", "order.paid.x", false),
            ("*.#.c", "a.c", true),
            ("*.#.c", "c", false),
            ("*", "", false),
        ];
        for (pattern, key, expected) in cases {
            assert_eq!(takes(pattern, key), expected, "{pattern} {key}");
        }
    }
}
