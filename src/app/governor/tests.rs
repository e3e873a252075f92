//! The governor in virtual time: tables for what it learns, and generated crowds against a model of
//! Amazon's own bucket.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;

fn ask<'a>(who: &'a str, traffic: Traffic) -> Ask<'a> {
    let (account, api) = ("na/live/A1", Api::Mws);
    Ask { account, sandbox: false, api, operation: "authorize", who, traffic }
}

fn checkout(who: &str) -> Ask<'_> {
    ask(who, Traffic::Checkout)
}

fn recurring(who: &str) -> Ask<'_> {
    ask(who, Traffic::Recurring)
}

fn of<'a>(operation: &'static str, sandbox: bool, who: &'a str) -> Ask<'a> {
    Ask { operation, sandbox, ..checkout(who) }
}

/// A governor whose bucket was found empty at time 0; the throttled call is not coming back.
fn governed(workers: u32) -> Governor {
    let governor = Governor::default();
    governor.workers(workers);
    governor.throttled(&checkout("throttled"), None, 0);
    governor
}

fn at(admit: Admit, now: i64) -> i64 {
    match admit {
        Admit::Go => now,
        Admit::WaitUntil(at) => at,
    }
}

#[test]
fn each_api_meters_by_itself_and_v2_more_generously() {
    let by_v2 = |operation, who| Ask { api: Api::V2, operation, ..checkout(who) };
    for (operation, restore) in [("authorize", 250), ("capture", 250), ("close_reference", 500)] {
        let governor = Governor::default();
        let next = governor.throttled(&by_v2(operation, "a"), None, 0);
        assert_eq!(next, restore, "{operation}");
        assert_eq!(governor.admit(&Ask { operation, ..checkout("b") }, 0), Admit::Go);
    }
    // What v2 calls one operation is one.
    let governor = Governor::default();
    governor.throttled(&by_v2("read_capture", "a"), Some(1_000), 0);
    assert_ne!(governor.admit(&by_v2("read_authorization", "b"), 0), Admit::Go);
}

#[test]
fn whoever_was_never_throttled_goes_at_once_and_leaves_no_trace() {
    let governor = Governor::default();
    for n in 0..10_000 {
        assert_eq!(governor.admit(&checkout(&n.to_string()), 0), Admit::Go);
    }
    assert_eq!(governor.governed(), 0);
}

#[test]
fn a_throttle_sets_the_documented_quota_of_that_operation_alone() {
    for (operation, sandbox, restore, burst) in [
        ("authorize", false, 1_000, 10),
        ("set_details", true, 2_000, 2),
        ("read_reference", false, 500, 20),
        ("find_authorization", true, 1_000, 5),
    ] {
        let governor = Governor::default();
        assert_eq!(
            governor.throttled(&of(operation, sandbox, "first"), None, 0),
            restore,
            "{operation}"
        );
        // The first token is promised to whom it was refused.
        assert_eq!(
            governor.admit(&of(operation, sandbox, "second"), 0),
            Admit::WaitUntil(2 * restore)
        );
        assert_eq!(governor.admit(&of(operation, sandbox, "first"), restore), Admit::Go);
        let full = restore * burst + 3 * restore;
        let gone = (0..burst + 5)
            .take_while(|n| {
                governor.admit(&of(operation, sandbox, &format!("n{n}")), full) == Admit::Go
            })
            .count();
        assert_eq!(i64::try_from(gone).unwrap(), burst, "{operation}");
        let elsewhere = [
            Ask { operation: "capture", ..of(operation, sandbox, "x") },
            Ask { account: "na/live/A2", ..of(operation, sandbox, "x") },
        ];
        assert!(elsewhere.iter().all(|ask| governor.admit(ask, 0) == Admit::Go));
    }
}

#[test]
fn a_search_and_a_read_of_authorizations_are_one_operation_of_amazon_s() {
    let governor = Governor::default();
    governor.throttled(&Ask { operation: "find_authorization", ..checkout("a") }, None, 0);
    let read = Ask { operation: "read_authorization", ..checkout("b") };
    assert_eq!(governor.admit(&read, 0), Admit::WaitUntil(2 * 500));
}

#[test]
fn another_throttle_halves_the_rate_down_to_a_bound() {
    let governor = governed(1);
    let mut spacings = Vec::new();
    for n in 1..8 {
        let now = n * 25 * SECOND;
        spacings.push(governor.throttled(&checkout("again"), None, now) - now);
    }
    assert_eq!(spacings, [2_000, 4_000, 8_000, 16_000, 16_000, 16_000, 16_000]);
}

#[test]
fn throttles_that_come_together_are_one() {
    let governor = Governor::default();
    let slots: Vec<i64> =
        (0..40).map(|n| governor.throttled(&checkout(&n.to_string()), None, n * 40)).collect();
    // Each gets its own second, and the rate is still the documented one.
    let expected: Vec<i64> = (1..=40).map(|n| n * SECOND).collect();
    let distances: Vec<i64> = slots.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(slots.iter().zip(&expected).all(|(slot, time)| (slot - time).abs() <= 2 * SECOND));
    assert!(distances.iter().all(|distance| (900..=1_100).contains(distance)), "{distances:?}");
}

#[test]
fn quiet_time_lets_the_rate_grow_until_nothing_is_governed() {
    let governor = governed(1);
    let spacing = |now: i64| {
        // A crowd empties the bucket; then the distance of two slots is the rate.
        let crowd: Vec<i64> = (0..30)
            .map(|n| at(governor.admit(&checkout(&format!("{now}/{n}")), now), now))
            .collect();
        crowd[29] - crowd[28]
    };
    assert_eq!(spacing(119 * SECOND), 1_000);
    let grown = spacing(1_200 * SECOND);
    assert!((600..=625).contains(&grown), "{grown}");
    assert_eq!(governor.admit(&checkout("late"), 3_479 * SECOND), Admit::Go);
    assert_eq!(governor.governed(), 1);
    assert_eq!(governor.admit(&checkout("later"), 3_480 * SECOND), Admit::Go);
    assert_eq!(governor.governed(), 0);
}

#[test]
fn a_rate_that_was_halved_comes_back_sooner_than_it_grows_beyond_the_documents() {
    let governor = governed(1);
    let spacing = |now: i64| {
        let crowd: Vec<i64> = (0..30)
            .map(|n| at(governor.admit(&recurring(&format!("{now}/{n}")), now), now))
            .collect();
        crowd[29] - crowd[28]
    };
    governor.throttled(&recurring("again"), None, 10 * SECOND);
    assert_eq!(spacing(11 * SECOND), 2_000);
    // Fifteen steps of half a minute; from there on steps of two.
    assert_eq!(spacing(460 * SECOND), 1_000);
    assert_eq!(spacing(579 * SECOND), 1_000);
    assert!(spacing(580 * SECOND) < 960);
}

#[test]
fn amazon_s_hint_stops_the_bucket_and_is_believed_up_to_an_hour() {
    let governor = Governor::default();
    let until = governor.throttled(&checkout("a"), Some(30 * SECOND), 0);
    assert_eq!(until, 31 * SECOND);
    assert_eq!(governor.admit(&checkout("b"), 10 * SECOND), Admit::WaitUntil(32 * SECOND));
    let until = governor.throttled(&checkout("a"), Some(30 * DAY), 40 * SECOND);
    assert!((3_600 * SECOND..3_700 * SECOND).contains(&until), "{until}");
    let Admit::WaitUntil(at) = governor.admit(&checkout("c"), 3_000 * SECOND) else {
        panic!("quiet under a hint is no sign of room");
    };
    assert!(at > 3_640 * SECOND);
    let nonsense = Governor::default();
    assert_eq!(nonsense.throttled(&checkout("d"), Some(-5), 0), SECOND);
}

#[test]
fn the_quota_is_shared_among_the_workers() {
    for workers in [1, 2, 5, 100] {
        let governor = governed(workers);
        let spacing = i64::from(workers) * SECOND;
        assert_eq!(governor.admit(&checkout("a"), 0), Admit::WaitUntil(2 * spacing));
        let full = 20 * SECOND;
        let gone = (0..20)
            .filter(|n| governor.admit(&checkout(&format!("n{n}")), full) == Admit::Go)
            .count();
        assert!(gone <= (10 / workers as usize).max(1), "{workers}: {gone}");
    }
    let governor = governed(1);
    governor.workers(0);
    assert_eq!(governor.admit(&checkout("a"), 0), Admit::WaitUntil(2 * SECOND));
}

#[test]
fn a_near_slot_is_the_caller_s_and_a_far_one_is_kept_until_it_comes_back() {
    let governor = Governor::default();
    governor.throttled(&checkout("throttled"), None, 0);
    assert_eq!(governor.admit(&checkout("throttled"), SECOND), Admit::Go);
    // Held: taken in advance, so that the next is a second later.
    assert_eq!(governor.admit(&checkout("a"), SECOND), Admit::WaitUntil(2 * SECOND));
    assert_eq!(governor.admit(&checkout("b"), SECOND), Admit::WaitUntil(3 * SECOND));
    // Promised: nothing is taken yet, but nobody else is told the same time.
    assert_eq!(governor.admit(&checkout("c"), SECOND), Admit::WaitUntil(4 * SECOND));
    assert_eq!(governor.admit(&checkout("d"), SECOND), Admit::WaitUntil(5 * SECOND));
    // Asking again too early changes nothing.
    assert_eq!(governor.admit(&checkout("d"), SECOND), Admit::WaitUntil(5 * SECOND));
    // A newcomer does not take what c was promised, even when c is a little late.
    assert_eq!(governor.admit(&checkout("e"), 4 * SECOND + 100), Admit::WaitUntil(6 * SECOND));
    assert_eq!(governor.admit(&checkout("c"), 4 * SECOND + 200), Admit::Go);
    assert_eq!(governor.admit(&checkout("d"), 5 * SECOND), Admit::Go);
}

#[test]
fn a_promise_that_nobody_comes_for_goes_to_others() {
    let governor = governed(1);
    assert_eq!(governor.admit(&checkout("gone"), 0), Admit::WaitUntil(2 * SECOND));
    let slot = governor.admit(&checkout("gone too"), 0);
    assert_eq!(slot, Admit::WaitUntil(3 * SECOND));
    let late = 9 * SECOND;
    let gone =
        (0..20).filter(|n| governor.admit(&checkout(&format!("n{n}")), late) == Admit::Go).count();
    assert!(gone >= 7, "{gone}");
}

#[test]
fn checkout_goes_before_the_recurring_ones_that_wait() {
    let governor = governed(1);
    let promised: Vec<i64> =
        (0..100).map(|n| at(governor.admit(&recurring(&format!("r{n}")), 0), 0)).collect();
    assert!(promised.windows(2).all(|pair| pair[0] < pair[1]), "{promised:?}");
    // Only who was throttled goes before it.
    assert_eq!(governor.admit(&checkout("buyer"), 0), Admit::WaitUntil(2 * SECOND));
    assert_eq!(governor.admit(&ask("o", Traffic::Operations), 0), Admit::WaitUntil(3 * SECOND));
    assert_eq!(governor.admit(&checkout("buyer 2"), 0), Admit::WaitUntil(3 * SECOND));
}

#[test]
fn recurring_charges_leave_a_reserve_that_checkout_may_drain() {
    let governor = governed(1);
    let now = 20 * SECOND;
    let go = |ask: &Ask<'_>| governor.admit(ask, now) == Admit::Go;
    assert_eq!((0..20).filter(|n| go(&recurring(&format!("r{n}")))).count(), 7);
    assert_eq!((0..20).filter(|n| go(&checkout(&format!("c{n}")))).count(), 3);
}

#[test]
fn where_no_buyer_came_lately_charges_leave_one_token_for_the_first() {
    let governor = Governor::default();
    governor.throttled(&recurring("throttled"), None, 0);
    let all = |now: i64| {
        let go = |n: i32| governor.admit(&recurring(&format!("{now}/{n}")), now) == Admit::Go;
        (0..20).filter(|n| go(*n)).count()
    };
    assert_eq!(all(60 * SECOND), 9);
    assert_eq!(governor.admit(&checkout("first"), 60 * SECOND), Admit::Go);
    // From now on there may be more of them, for an hour.
    assert_eq!(all(3_000 * SECOND), 7);
    assert_eq!(all(3_400 * SECOND), 7);
}

#[test]
fn a_charge_whose_slot_is_far_is_put_off_and_a_near_one_is_left_to_be_asked_for() {
    let governor = Governor::default();
    assert_eq!(governor.put_off(&recurring("ungoverned"), 0), None);
    governor.throttled(&recurring("throttled"), None, 0);
    // One goes before them, and one token stays.
    let far: Vec<Option<i64>> =
        (0..3).map(|n| governor.put_off(&recurring(&format!("r{n}")), 0)).collect();
    let late = far[0].unwrap() - 3 * SECOND;
    assert!((0..SECOND).contains(&late), "{late}");
    let at = |seconds: i64| seconds * SECOND + late;
    assert_eq!(far, [Some(at(3)), Some(at(4)), Some(at(5))]);
    assert_eq!(governor.put_off(&recurring("r1"), 0), Some(at(4)), "it keeps its place");
    assert_eq!(governor.put_off(&recurring("r0"), at(1)), None, "near by now, still promised");
    assert_eq!(governor.admit(&recurring("throttled"), at(2)), Admit::Go);
    assert_eq!(governor.admit(&recurring("r0"), at(3)), Admit::Go);
    assert_eq!(governor.admit(&recurring("r1"), at(4)), Admit::Go);
}

#[test]
fn charges_of_accounts_that_come_together_are_made_one_after_another() {
    let governor = Governor::default();
    let accounts: Vec<String> = (0..60).map(|n| format!("na/live/A{n}")).collect();
    let mut crowds = [0; 10];
    for account in &accounts {
        let of = |who| Ask { account, ..recurring(who) };
        governor.throttled(&of("throttled"), None, 0);
        let (first, second) = (governor.put_off(&of("a"), 0), governor.put_off(&of("b"), 0));
        assert_eq!(first.map(|at| at + SECOND), second, "at the account's own pace");
        let part = usize::try_from(first.unwrap() % SECOND / (SECOND / 10)).unwrap();
        crowds[part] += 1;
        // Nobody who waits is late for that.
        let buyer = at(governor.admit(&Ask { account, ..checkout("buyer") }, 0), 0);
        assert_eq!(buyer, SECOND, "the first token");
    }
    assert!(crowds.iter().all(|crowd| *crowd <= 15), "{crowds:?}");
}

#[test]
fn a_charge_whose_token_is_there_is_not_put_off_however_slow_the_quota_is() {
    let governor = governed(8);
    for number in 0..20 {
        let account = format!("na/live/A{number}");
        let of = |who| Ask { account: &account, ..recurring(who) };
        // Eight workers share it: a token in eight seconds, and by now more than the reserve.
        governor.throttled(&of("throttled"), None, 0);
        assert_eq!(governor.put_off(&of("a"), 60 * SECOND), None, "{account}");
        assert_eq!(governor.admit(&of("a"), 60 * SECOND), Admit::Go, "{account}");
    }
}

#[test]
fn memory_is_bounded() {
    let governor = Governor::default();
    let accounts: Vec<String> = (0..3 * BUCKETS_MAX).map(|n| format!("na/live/A{n}")).collect();
    for (now, account) in (0..).zip(&accounts) {
        governor.throttled(&Ask { account, ..checkout("x") }, None, now);
    }
    assert_eq!(governor.governed(), BUCKETS_MAX);
    // The quiet ones made room.
    let newest = Ask { account: accounts.last().unwrap(), ..checkout("y") };
    assert_ne!(governor.admit(&newest, 4_000), Admit::Go);
    assert_eq!(governor.admit(&Ask { account: &accounts[0], ..checkout("y") }, 0), Admit::Go);
    // A day later nobody is governed, and the next throttle clears them away.
    governor.throttled(&newest, None, DAY);
    governor.throttled(&Ask { account: "another", ..newest }, None, DAY);
    assert_eq!(governor.governed(), 2);

    let governor = governed(1);
    let slots: Vec<i64> =
        (0..5_000).map(|n| at(governor.admit(&checkout(&format!("n{n}")), 0), 0)).collect();
    assert!(slots.windows(2).all(|pair| pair[0] < pair[1]), "times stay distinct in order");
}

/// Amazon's bucket as documented: whether a call at `now` is let through.
struct Amazon {
    tokens: f64,
    at: i64,
    burst: f64,
    per_ms: f64,
}

impl Amazon {
    fn take(&mut self, now: i64) -> bool {
        let passed = f64::from(i32::try_from((now - self.at).max(0)).unwrap());
        self.tokens = (self.tokens + passed * self.per_ms).min(self.burst);
        self.at = now;
        let granted = self.tokens >= 1.0 - 1e-6;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }
}

/// What a payment does: ask, hold or let go and come back (a little late, as the sweep does).
fn play(workers: usize, crowd: &[(i64, bool)], lateness: &[i64]) -> BTreeMap<usize, i64> {
    let governors: Vec<Governor> =
        (0..workers).map(|_| governed(u32::try_from(workers).unwrap())).collect();
    let mut amazon = Amazon { tokens: 0.0, at: 0, burst: 10.0, per_ms: 0.001 };
    // (time, held, payment), earliest first.
    let mut queue: BinaryHeap<std::cmp::Reverse<(i64, bool, usize)>> = crowd
        .iter()
        .enumerate()
        .map(|(n, (when, _))| std::cmp::Reverse((*when, false, n)))
        .collect();
    let mut done = BTreeMap::new();
    let mut steps = 0;
    while let Some(std::cmp::Reverse((now, held, n))) = queue.pop() {
        steps += 1;
        assert!(steps < 100_000, "somebody turns in circles");
        let who = n.to_string();
        let traffic = if crowd[n].1 { Traffic::Checkout } else { Traffic::Recurring };
        let ask = ask(&who, traffic);
        // Whoever comes back may come back elsewhere.
        let late = lateness[steps % lateness.len()];
        let governor = &governors[(n + usize::try_from(late).unwrap()) % workers];
        let admit = if held { Admit::Go } else { governor.admit(&ask, now) };
        match admit {
            Admit::Go if amazon.take(now) => {
                done.insert(n, now);
            }
            Admit::Go => {
                let until = governor.throttled(&ask, None, now);
                queue.push(std::cmp::Reverse((until + late, false, n)));
            }
            Admit::WaitUntil(at) if at <= now + HOLD_MS => {
                queue.push(std::cmp::Reverse((at, true, n)));
            }
            Admit::WaitUntil(at) => queue.push(std::cmp::Reverse((at + late, false, n))),
        }
    }
    done
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_payment_of_a_crowd_is_paid_at_nearly_the_rate_that_amazon_allows(
        crowd in prop::collection::vec((0..20_000i64, any::<bool>()), 1..120),
        lateness in prop::collection::vec(0..300i64, 1..20),
    ) {
        let done = play(1, &crowd, &lateness);
        prop_assert_eq!(done.len(), crowd.len());
        let last = *done.values().max().unwrap();
        let size = i64::try_from(crowd.len()).unwrap();
        // One a second, after the last came, and the reserve that recurring ones fill up first.
        prop_assert!(last <= 20_000 + (size + 5) * SECOND * 11 / 10, "{} for {}", last, size);
    }

    #[test]
    fn with_several_workers_nobody_starves(
        crowd in prop::collection::vec((0..5_000i64, any::<bool>()), 1..60),
        lateness in prop::collection::vec(0..300i64, 2..20),
        workers in 2..4usize,
    ) {
        let done = play(workers, &crowd, &lateness);
        prop_assert_eq!(done.len(), crowd.len());
        let size = i64::try_from(crowd.len()).unwrap();
        let last = *done.values().max().unwrap();
        prop_assert!(last <= 5_000 + (3 * size + 60) * SECOND, "{} for {}", last, size);
    }

    #[test]
    fn buyers_do_not_wait_for_recurring_charges(
        backlog in 50..300usize,
        buyers in prop::collection::vec(12_000..60_000i64, 1..12),
    ) {
        let crowd: Vec<(i64, bool)> = (0..backlog)
            .map(|_| (0, false))
            .chain(buyers.iter().map(|when| (*when, true)))
            .collect();
        let done = play(1, &crowd, &[0, 120, 250]);
        let waits: Vec<i64> = (backlog..crowd.len()).map(|n| done[&n] - crowd[n].0).collect();
        // At worst they all come at once: the reserve, then one a second.
        let most = i64::try_from(buyers.len()).unwrap() * SECOND;
        prop_assert!(waits.iter().all(|wait| *wait <= most), "{:?}", waits);
    }

    #[test]
    fn slots_of_one_traffic_are_distinct_and_in_order_of_asking(
        times in prop::collection::vec(0..3_000i64, 2..60),
    ) {
        let governor = governed(1);
        let mut times = times;
        times.sort_unstable();
        let mut slots = Vec::new();
        for (n, now) in times.into_iter().enumerate() {
            if let Admit::WaitUntil(at) = governor.admit(&checkout(&n.to_string()), now) {
                slots.push(at);
            }
        }
        let distinct: BTreeSet<i64> = slots.iter().copied().collect();
        prop_assert_eq!(distinct.len(), slots.len());
        prop_assert!(slots.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", slots);
    }
}

#[test]
fn once_anybody_was_throttled_charges_keep_the_documented_pace_everywhere() {
    let other = |who| Ask { account: "na/live/A2", ..recurring(who) };
    let governor = Governor::default();
    assert_eq!(governor.admit(&other("before"), 0), Admit::Go);
    governor.throttled(&recurring("throttled"), None, 0);
    let buyer = Ask { account: "na/live/A2", ..checkout("buyer") };
    assert_eq!(governor.admit(&buyer, 0), Admit::Go);
    // What is left of a documented bucket, but for the token that stays, and then its pace.
    let go = |account: &str| {
        let one = |n: &i32| {
            let who = format!("{account}/{n}");
            governor.admit(&Ask { account, ..recurring(&who) }, 0) == Admit::Go
        };
        (0..20).filter(one).count()
    };
    assert_eq!((go("na/live/A2"), go("na/live/A5")), (8, 9));
    // Where nobody was, and long after, nothing holds them.
    let sandbox = Ask { sandbox: true, account: "na/sandbox/A3", ..recurring("sandbox") };
    assert_eq!(governor.admit(&sandbox, 0), Admit::Go);
    assert_eq!(governor.admit(&Ask { account: "na/live/A4", ..recurring("late") }, DAY), Admit::Go);
}
