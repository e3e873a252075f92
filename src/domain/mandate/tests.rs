//! Whether one more charge fits, and what a look at a consent means.

use super::{
    Asked, Before, Closing, Fate, Held, Look, Mandate, MandateState, News, Step, Verdict, judge,
};
use crate::domain::command::{
    Asker, AuthorizationMode, CaptureMode, PaymentKey, Sale, Subject, Texts,
};
use crate::domain::gateway::{Answer, Effect, Fault, Month, ReferenceState, ReferenceView, Reply};
use crate::domain::ids::{ChargeId, MerchantAccountId, MessageId, ReferenceId, RequestId};
use crate::domain::mandate::{month_of, reckon_in};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::{Payment, Phase};
use crate::domain::policy::Policy;

/// 2026-11-26.
const NOW: i64 = 1_795_651_200_000;
/// 2026-11-01 and 2026-12-01.
const BEGINS: i64 = 1_793_491_200_000;
const ENDS: i64 = 1_796_083_200_000;

fn usd(minor: i64) -> Money {
    Money::from_minor(minor, Currency::USD)
}

fn charge(id: &str, minor: i64) -> Payment {
    let sale = Sale {
        key: PaymentKey {
            mid: MerchantAccountId::new("7").unwrap(),
            subject: Subject::Charge(ChargeId::new(id).unwrap()),
        },
        reference: Some(ReferenceId::new("C01-0000001-0000001").unwrap()),
        amount: usd(minor),
        capture: CaptureMode::Immediate,
        authorization: AuthorizationMode::SyncThenAsync,
        initial_charge: true,
        of_order: None,
        not_before: None,
        texts: Texts::default(),
    };
    Payment::open(sale, asker(), "na/sandbox/A1".to_owned(), NOW)
}

fn asker() -> Asker {
    Asker {
        message_id: MessageId::new("m1").unwrap(),
        reply_to: None,
        correlation_id: None,
        traceparent: None,
    }
}

fn seen(state: ReferenceState, left: Option<i64>) -> ReferenceView {
    ReferenceView {
        consent: Some(true),
        month: left.map(|left| Month { left: usd(left), begins: BEGINS, ends: ENDS }),
        ..ReferenceView::in_state(state)
    }
}

fn open(left: i64) -> ReferenceView {
    seen(ReferenceState::Open, Some(left))
}

fn ask(
    payment: &Payment,
    view: Option<&ReferenceView>,
    known: Option<&Mandate>,
    fates: &[Fate],
) -> Verdict {
    let before = view.map(|_| Before::of(known, fates));
    ask_after(payment, view, before.as_ref(), known, fates)
}

/// The same, where the mandate may have been another before Amazon was asked.
fn ask_after(
    payment: &Payment,
    view: Option<&ReferenceView>,
    before: Option<&Before>,
    known: Option<&Mandate>,
    fates: &[Fate],
) -> Verdict {
    judge(Asked { payment, seen: view, before, now: NOW }, known, fates)
}

fn taken(verdict: Verdict) -> Mandate {
    let Verdict::Take(mandate) = verdict else { panic!("{verdict:?}") };
    *mandate
}

#[test]
fn what_nobody_has_seen_is_read_first() {
    let one = charge("1", 30_000);
    assert_eq!(ask(&one, None, None, &[]), Verdict::Read);
    let mandate = taken(ask(&one, Some(&open(50_000)), None, &[]));
    assert_eq!((mandate.state, mandate.held.len()), (MandateState::Open, 1));
    // Asked again, after a crash: taken once, and never judged again.
    let again = taken(ask(&one, Some(&open(20_000)), Some(&mandate), &[Fate::InFlight]));
    assert_eq!(again, mandate);
}

#[test]
fn the_second_of_two_that_do_not_fit_together_waits_for_the_first() {
    let mandate = taken(ask(&charge("1", 30_000), Some(&open(50_000)), None, &[]));
    let two = charge("2", 30_000);
    assert_eq!(ask(&two, None, Some(&mandate), &[Fate::InFlight]), Verdict::Wait);
    // Amazon's number may hold the first or not: it is waited for just the same.
    assert_eq!(ask(&two, Some(&open(50_000)), Some(&mandate), &[Fate::InFlight]), Verdict::Wait);
    // It was charged: Amazon is asked a last time, and then it does not fit.
    assert_eq!(ask(&two, None, Some(&mandate), &[Fate::Moved]), Verdict::Read);
    let over = ask(&two, Some(&open(20_000)), Some(&mandate), &[Fate::Moved]);
    assert_eq!(over, Verdict::Over(ENDS));
    // It was declined: what it held is free again.
    let free = taken(ask(&two, None, Some(&mandate), &[Fate::Nothing]));
    assert_eq!(free.held.len(), 1);
    assert_eq!(free.held[0].payment, "7/charge/2");
    // A small one fits beside it.
    let small = taken(ask(&charge("3", 20_000), None, Some(&mandate), &[Fate::InFlight]));
    assert_eq!(small.held.len(), 2);
}

#[test]
fn a_number_of_amazons_is_as_old_as_the_moment_it_was_asked_for() {
    let mandate = taken(ask(&charge("1", 30_000), Some(&open(50_000)), None, &[]));
    let two = charge("2", 30_000);
    // It was asked for while the first was under way, which has moved by now: it may be in the
    // number or not, so it is asked for again, and only then judged.
    let before = Before::of(Some(&mandate), &[Fate::InFlight]);
    for left in [50_000, 20_000] {
        let seen = open(left);
        let verdict = ask_after(&two, Some(&seen), Some(&before), Some(&mandate), &[Fate::Moved]);
        let expected = if left == 50_000 { Verdict::Read } else { Verdict::Over(ENDS) };
        assert_eq!(verdict, expected);
    }
    // What fits all the same is taken, and the other stays in doubt.
    let three = charge("3", 20_000);
    let seen = open(50_000);
    let small =
        taken(ask_after(&three, Some(&seen), Some(&before), Some(&mandate), &[Fate::Moved]));
    assert_eq!((small.held.len(), small.month.unwrap().left), (2, usd(50_000)));
    assert_eq!(ask(&two, None, Some(&small), &[Fate::Moved, Fate::Moved]), Verdict::Read);
    // Somebody else has reckoned it in meanwhile: our own books know more than the number.
    let reckoned = taken(ask(&charge("4", 100), None, Some(&mandate), &[Fate::Moved]));
    let reckoned = Mandate { version: mandate.version + 1, ..reckoned };
    let stale =
        ask_after(&two, Some(&open(50_000)), Some(&before), Some(&reckoned), &[Fate::InFlight]);
    assert_eq!(stale, Verdict::Read);
    // A number that was read for something else, before anything was known, says nothing either.
    let reckoned = Some(&reckoned);
    let stale = ask_after(&two, Some(&open(50_000)), None, reckoned, &[Fate::InFlight]);
    assert_eq!(stale, Verdict::Read);
}

#[test]
fn another_month_or_a_state_that_takes_no_charge_is_read_anew() {
    let mut mandate = taken(ask(&charge("1", 100), Some(&open(50_000)), None, &[]));
    let two = charge("2", 100);
    let next = judge(
        Asked { payment: &two, seen: None, before: None, now: ENDS },
        Some(&mandate),
        &[Fate::Moved],
    );
    assert_eq!(next, Verdict::Read);
    mandate.state = MandateState::Suspended;
    assert_eq!(ask(&two, None, Some(&mandate), &[Fate::Moved]), Verdict::Read);
    // That it is open again is told by whoever watches it.
    let seen = taken(ask(&two, Some(&open(50_000)), Some(&mandate), &[Fate::Moved]));
    assert_eq!((seen.state, seen.due_at), (MandateState::Suspended, Some(NOW)));
}

#[test]
fn where_amazon_tells_no_balance_it_is_500_a_month() {
    let silent = seen(ReferenceState::Open, None);
    let mandate = taken(ask(&charge("1", 30_000), Some(&silent), None, &[]));
    assert_eq!(mandate.month.unwrap().left, usd(50_000));
    let over = ask(&charge("2", 20_001), Some(&silent), Some(&mandate), &[Fate::Moved]);
    assert_eq!(over, Verdict::Over(ENDS));
    let fits = taken(ask(&charge("2", 20_000), Some(&silent), Some(&mandate), &[Fate::Moved]));
    assert_eq!(fits.month.unwrap().left, usd(20_000));
}

#[test]
fn what_a_session_charged_by_itself_counts_like_any_other() {
    let first = charge("1", 30_000);
    let mandate = reckon_in(&first, None, &[], NOW).unwrap();
    // What may be charged is a guess until Amazon is asked; it may tell no number.
    let two = charge("2", 20_001);
    assert_eq!(ask(&two, None, Some(&mandate), &[Fate::Moved]), Verdict::Read);
    let silent = seen(ReferenceState::Open, None);
    assert_eq!(ask(&two, Some(&silent), Some(&mandate), &[Fate::Moved]), Verdict::Over(ENDS));
    assert_eq!(ask(&two, Some(&silent), Some(&mandate), &[Fate::InFlight]), Verdict::Wait);
    let fits = taken(ask(&charge("2", 20_000), Some(&silent), Some(&mandate), &[Fate::Moved]));
    assert_eq!(fits.held.len(), 1);
    // Amazon's own number holds it.
    let told = taken(ask(&two, Some(&open(70_000)), Some(&mandate), &[Fate::Moved]));
    assert_eq!(told.month.unwrap().left, usd(70_000));
    // Once, and beside what is held already; what is known of the month stays.
    assert_eq!(reckon_in(&first, Some(&mandate), &[Fate::InFlight], NOW), None);
    let beside = reckon_in(&charge("3", 100), Some(&told), &[Fate::Moved], NOW).unwrap();
    assert_eq!(beside.month.unwrap().left, usd(70_000 - 20_001));
    assert_eq!((beside.state, beside.held.len()), (MandateState::Open, 1));
    // In another month Amazon is asked anew.
    let later = reckon_in(&charge("4", 100), Some(&told), &[Fate::Moved], ENDS).unwrap();
    assert_eq!(later.state, MandateState::Unknown);
}

#[test]
fn months_are_those_of_the_calendar() {
    let month = |now| {
        let month = month_of(now, Currency::USD);
        (month.begins, month.ends)
    };
    assert_eq!(month(NOW), (BEGINS, ENDS));
    assert_eq!(month(ENDS), (ENDS, 1_798_761_600_000));
    assert_eq!(month(0), (0, 31 * 86_400_000));
    // February of a leap year.
    assert_eq!(month(1_709_164_800_000), (1_706_745_600_000, 1_709_251_200_000));
}

#[test]
fn the_fate_of_a_charge_is_that_of_its_epoch() {
    let mut payment = charge("1", 100);
    let held = Held { payment: payment.id(), epoch: 1, amount: usd(100), begins: BEGINS };
    assert_eq!(held.fate(None), Fate::Nothing);
    assert_eq!(held.fate(Some(&payment)), Fate::InFlight);
    payment.phase = Phase::Paid;
    assert_eq!(held.fate(Some(&payment)), Fate::Moved);
    payment.epoch = 2;
    assert_eq!(held.fate(Some(&payment)), Fate::Nothing);
}

fn watched(state: MandateState) -> Mandate {
    let reference = ReferenceId::new("C01-0000001-0000001").unwrap();
    let mid = MerchantAccountId::new("7").unwrap();
    Mandate { state, due_at: Some(NOW), ..Mandate::new("na/sandbox/A1", &reference, &mid, NOW) }
}

fn to_close(mut mandate: Mandate) -> Mandate {
    mandate.closings.push(Closing {
        mid: MerchantAccountId::new("7").unwrap(),
        request: RequestId::new("r-1").unwrap(),
        askers: vec![asker()],
        reason: None,
        since: NOW,
        event: None,
    });
    mandate
}

/// One look with these replies; what was told, and the calls that were made.
fn look(mandate: &mut Mandate, replies: &[Reply]) -> (Vec<News>, Vec<&'static str>, Step) {
    let policy = Policy::default();
    let mut look = Look::default();
    let mut replies = replies.iter();
    let mut calls = Vec::new();
    let mut step = look.begin(mandate, NOW, &policy);
    while let Step::Call(effect) = &step {
        calls.push(effect.name());
        let effect: Effect = effect.clone();
        let reply = replies.next().expect("a reply").clone();
        step = look.decide(mandate, &effect, reply, NOW, &policy);
    }
    (look.news, calls, step)
}

fn shown(state: ReferenceState) -> Reply {
    Ok(Answer::Reference(seen(state, Some(50_000))))
}

#[test]
fn a_suspended_one_is_looked_at_until_it_is_mended() {
    let mut mandate = watched(MandateState::Open);
    mandate.declined_at = Some(NOW);
    assert_eq!(look(&mut mandate, &[]).0, [News::Suspended]);
    assert_eq!((mandate.state, mandate.due_at), (MandateState::Suspended, Some(NOW + 20_000)));
    let (news, ..) = look(&mut mandate, &[shown(ReferenceState::Suspended)]);
    assert_eq!((news, mandate.due_at), (vec![], Some(NOW + 30_000)));
    let (news, ..) = look(&mut mandate, &[Err(Fault::Unknown)]);
    assert_eq!((news, mandate.due_at), (vec![], Some(NOW + 45_000)));
    let (news, ..) = look(&mut mandate, &[shown(ReferenceState::Open)]);
    assert_eq!((news, mandate.reopened_at), (vec![News::Reopened], Some(NOW)));
    let mut over = watched(MandateState::Suspended);
    assert_eq!(look(&mut over, &[shown(ReferenceState::Canceled)]).0, [News::Closed]);
    assert_eq!(over.due_at, None);
}

#[test]
fn one_that_is_to_be_closed_is_closed_once_and_told() {
    let mut mandate = to_close(watched(MandateState::Open));
    let replies = [shown(ReferenceState::Open), Ok(Answer::Done)];
    let (news, calls, step) = look(&mut mandate, &replies);
    assert_eq!((news, step), (vec![News::ClosedBy(0)], Step::Settle));
    assert_eq!(calls, ["read_reference", "close_reference"]);
    let mut already = to_close(watched(MandateState::Unknown));
    let (news, calls, _) = look(&mut already, &[shown(ReferenceState::Closed)]);
    assert_eq!((news, calls), (vec![News::ClosedBy(0)], vec!["read_reference"]));
    let refused = |code: &str| Err(Fault::Refused { code: code.to_owned() });
    let mut raced = to_close(watched(MandateState::Open));
    let replies = [
        shown(ReferenceState::Open),
        refused("InvalidCloseAttempt"),
        shown(ReferenceState::Closed),
    ];
    assert_eq!(look(&mut raced, &replies).0, [News::ClosedBy(0)]);
}

#[test]
fn what_cannot_be_closed_is_rejected_and_trouble_ends_with_an_operator() {
    let refused = Err(Fault::Refused { code: "InvalidBillingAgreementId".to_owned() });
    for reply in [refused, shown(ReferenceState::Draft)] {
        let mut mandate = to_close(watched(MandateState::Unknown));
        let (news, ..) = look(&mut mandate, &[reply]);
        assert!(matches!(news[..], [News::Rejected(0, _)]), "{news:?}");
        assert_eq!(mandate.due_at, None);
    }
    let mut mandate = to_close(watched(MandateState::Open));
    mandate.closings[0].since = NOW - 90_000_000;
    let (news, _, step) = look(&mut mandate, &[Err(Fault::NotSent)]);
    assert!(news.is_empty() && matches!(step, Step::Operator(..)), "{step:?}");
}
