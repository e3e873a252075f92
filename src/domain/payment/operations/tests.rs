//! Operations as histories of calls: each script is what Amazon is asked, in order, and what it
//! answers.

mod admission;
mod unlisted;

use super::decide::{decide, start};
use super::turn::{self, Focus};
use super::{Operation, OperationPhase};
use crate::domain::command::{
    Asker, AuthorizationMode, CaptureMode, PaymentKey, Sale, Subject, Texts,
};
use crate::domain::decline::{Decline, RejectionCode};
use crate::domain::gateway::{
    Answer, AuthorizationState as A, AuthorizationView, CaptureState as C, CaptureView, Effect,
    Fault, RefundState as R, RefundView, Reply,
};
use crate::domain::ids::{
    AuthorizationId, CaptureId, MerchantAccountId, MessageId, OrderId, ReferenceId, RefundId,
    RequestId,
};
use crate::domain::money::{Currency, Money};
use crate::domain::operation::{OperationCommand, OperationKind, OperationTag, Wanted};
use crate::domain::payment::decide::{Next, Run, Wait};
use crate::domain::payment::invariants;
use crate::domain::payment::{
    DeadLetterReason, Exposure, OperationOutcome, Outcome, Payment, Phase, Told,
};
use crate::domain::policy::Policy;

const NOW: i64 = 1_000_000;

fn usd(minor: i64) -> Money {
    Money::from_minor(minor, Currency::USD)
}

fn asker(message: &str) -> Asker {
    Asker {
        message_id: MessageId::new(message).unwrap(),
        reply_to: None,
        correlation_id: None,
        traceparent: None,
    }
}

fn order(phase: Phase) -> Payment {
    let sale = Sale {
        key: PaymentKey {
            mid: MerchantAccountId::new("7").unwrap(),
            subject: Subject::Order(OrderId::new("CRM-1").unwrap()),
        },
        reference: Some(ReferenceId::new("S01-0000001-0000001").unwrap()),
        amount: usd(2995),
        capture: CaptureMode::Manual,
        authorization: AuthorizationMode::SyncThenAsync,
        initial_charge: true,
        of_order: None,
        not_before: None,
        texts: Texts::default(),
    };
    let mut payment = Payment::open(sale, asker("m1"), "na/sandbox/A1".to_owned(), NOW);
    payment.phase = phase;
    payment.due_at = payment.in_hand().then_some(NOW + 60_000);
    payment.latest_event = (!payment.in_hand()).then(|| "evt".to_owned());
    if matches!(phase, Phase::Authorized | Phase::Paid) {
        payment.authorization_id = Some(AuthorizationId::new("A1").unwrap());
    }
    if phase == Phase::Authorized {
        payment.due_at = Some(NOW + 86_400_000);
    }
    if phase == Phase::Paid {
        payment.capture_id = Some(CaptureId::new("C1").unwrap());
        payment.captured = usd(2995);
    }
    if phase == Phase::Declined {
        payment.decline = Some(Decline::invalid_payment_method("InvalidPaymentMethod"));
    }
    payment
}

fn command(kind: OperationKind, request: &str, hundredths: Option<i64>) -> OperationCommand {
    OperationCommand {
        operation: kind,
        key: order(Phase::Paid).key,
        request: RequestId::new(request).unwrap(),
        wanted: Wanted { hundredths, ..Wanted::default() },
        reason: None,
    }
}

fn tag(kind: OperationKind, request: &str) -> OperationTag {
    command(kind, request, None).tag()
}

/// The payment with an operation that was just accepted.
fn asked(mut payment: Payment, kind: OperationKind, request: &str, amount: Option<i64>) -> Payment {
    let command = command(kind, request, amount);
    payment.operations.push(Operation::open(&command, asker("op"), NOW));
    payment
}

struct Played {
    payment: Payment,
    told: Vec<Told>,
    last: Next,
}

/// Plays one claimed run of what is due: each call must be the named one and gets its reply.
fn play_at(now: i64, mut payment: Payment, script: &[(&str, Reply)]) -> Played {
    let policy = Policy::default();
    let mut run = Run { began_at: now, ..Run::default() };
    let Some(focus) = turn::focus(&payment, now) else { panic!("nothing is due") };
    let Focus::Operation(tag) = &focus else { panic!("the payment itself is due") };
    turn::claim(&mut payment, &focus, now);
    let mut replies = script.iter();
    let mut next = start(&mut payment, tag, &mut run, now, &policy);
    loop {
        next = match next {
            Next::Call(effect) => {
                let Some((name, reply)) = replies.next() else {
                    panic!("an unexpected call: {effect:?}")
                };
                assert_eq!(effect.name(), *name, "{effect:?}");
                let call = payment.operation(tag).unwrap();
                if effect.moves_money() {
                    assert_ne!(call.exposure, Exposure::Clear, "a call without an intent");
                    assert!(call.amount.is_some(), "a call without a fixed amount");
                }
                let answered = (&effect, keyed(&effect, reply.clone()));
                decide(&mut payment, tag, &mut run, answered, now, &policy)
            }
            Next::Checkpoint => {
                let exposure = payment.chore(&focus).exposure;
                if *exposure == Exposure::Clear {
                    *exposure = Exposure::Open;
                }
                start(&mut payment, tag, &mut run, now, &policy)
            }
            Next::Meter => panic!("no operation is metered"),
            Next::Adopt => panic!("no operation adopts anything"),
            last @ (Next::Settle(_) | Next::Reject(..)) => {
                assert_eq!(replies.next(), None, "a call was not made");
                let chore = payment.chore(&focus);
                if *chore.exposure == Exposure::Open {
                    *chore.exposure = Exposure::Clear;
                }
                if let Next::Settle(Wait::Until(at)) = &last {
                    *chore.due_at = Some(*at);
                }
                turn::wake_waiting(&mut payment, now);
                return Played { payment, told: run.told, last };
            }
        };
    }
}

/// Amazon shows the key under which it was asked, where the script leaves it to it.
fn keyed(effect: &Effect, reply: Reply) -> Reply {
    let key = if let Effect::Capture(call) = effect {
        call.key.to_string()
    } else if let Effect::Refund(call) = effect {
        call.key.to_string()
    } else if let Effect::FindCapture { key, .. } = effect {
        key.to_string()
    } else {
        return reply;
    };
    match reply {
        Ok(Answer::Capture(view)) => Ok(Answer::Capture(CaptureView { key, ..view })),
        Ok(Answer::Refund(view)) => Ok(Answer::Refund(RefundView { key, ..view })),
        other => other,
    }
}

fn play(payment: Payment, script: &[(&str, Reply)]) -> Played {
    play_at(NOW, payment, script)
}

fn holds(played: &Played) {
    let mut settled = played.payment.clone();
    for one in &mut settled.operations {
        one.latest_event = Some("evt".to_owned());
    }
    settled.latest_event = Some("evt".to_owned());
    assert_eq!(invariants::check(&settled), []);
}

fn refused(code: &str) -> Reply {
    Err(Fault::Refused { code: code.to_owned() })
}

fn captured(state: C, minor: i64, reason: &str) -> Reply {
    Ok(Answer::Capture(capture_view(state, minor, reason, 0)))
}

fn capture_view(state: C, minor: i64, reason: &str, refunded: i64) -> CaptureView {
    CaptureView {
        id: CaptureId::new("C1").unwrap(),
        key: String::new(),
        state,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        amount: Some(usd(minor)),
        refunded: Some(usd(refunded)),
    }
}

fn refund_view(id: &str, state: R, minor: i64, reason: &str) -> RefundView {
    RefundView {
        id: RefundId::new(id).unwrap(),
        key: String::new(),
        dispute: false,
        state,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        amount: Some(usd(minor)),
    }
}

fn refunded(id: &str, state: R, minor: i64, reason: &str) -> Reply {
    Ok(Answer::Refund(refund_view(id, state, minor, reason)))
}

/// What went back already, by whomever.
fn listed(sum: i64, refunds: &[RefundView]) -> Reply {
    let view = capture_view(C::Completed, 2995, "", sum);
    Ok(Answer::Refunds(view, refunds.to_vec()))
}

fn authorization(state: A, reason: &str, captures: &[&str]) -> Reply {
    Ok(Answer::Authorization(AuthorizationView {
        id: AuthorizationId::new("A1").unwrap(),
        key: String::new(),
        state,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        amount: Some(usd(2995)),
        captures: captures.iter().map(|id| CaptureId::new(*id).unwrap()).collect(),
        shown: None,
    }))
}

fn counted(sum: i64) -> (&'static str, Reply) {
    ("read_capture", Ok(Answer::Capture(capture_view(C::Completed, 2995, "", sum))))
}

#[test]
fn a_part_is_captured_once_and_the_payment_is_paid_by_it() {
    let rests = asked(order(Phase::Authorized), OperationKind::Capture, "c1", Some(1000));
    let played = play(rests, &[("capture", captured(C::Completed, 1000, ""))]);
    assert_eq!(played.payment.phase, Phase::Paid);
    assert_eq!(played.payment.captured, usd(1000));
    assert_eq!(played.told, [Told::By(Outcome::Paid, tag(OperationKind::Capture, "c1"))]);
    holds(&played);

    let again = asked(played.payment, OperationKind::Capture, "c2", None);
    let played = play(again, &[]);
    assert!(matches!(played.last, Next::Reject(RejectionCode::Conflict, _)));
}

#[test]
fn a_capture_that_fails_is_asked_again_once_and_then_declined() {
    let rests = asked(order(Phase::Authorized), OperationKind::Capture, "c1", None);
    let failed = || ("capture", captured(C::Declined, 2995, "ProcessingFailure"));
    let played = play(rests, &[failed()]);
    assert_eq!(played.last, Next::Settle(Wait::Until(NOW + 90_000)));
    assert_eq!((played.payment.phase, &played.told[..]), (Phase::Authorized, &[][..]));
    holds(&played);
    let played = play_at(
        NOW + 90_000,
        played.payment,
        &[failed(), ("close_authorization", Ok(Answer::Done))],
    );
    assert_eq!(played.payment.phase, Phase::Declined);
    assert_eq!(played.told, [Told::By(Outcome::Declined, tag(OperationKind::Capture, "c1"))]);
    holds(&played);

    let rests = asked(order(Phase::Authorized), OperationKind::Capture, "c1", None);
    let rejected = captured(C::Declined, 2995, "AmazonRejected");
    let closed = refused("InvalidAuthorizationStatus");
    let played = play(rests, &[("capture", rejected), ("close_authorization", closed)]);
    assert_eq!(played.payment.phase, Phase::Declined);
    assert!(!played.payment.declined_soft());
}

#[test]
fn a_late_capture_is_followed_while_amazon_decides() {
    let rests = asked(order(Phase::Authorized), OperationKind::Capture, "c1", None);
    let played = play(rests, &[("capture", captured(C::Pending, 2995, ""))]);
    let capture = tag(OperationKind::Capture, "c1");
    let news = Told::Operation(capture.clone(), OperationOutcome::PendingAmazon);
    assert_eq!((played.payment.phase, played.told), (Phase::Authorized, vec![news]));
    let done = captured(C::Completed, 2995, "");
    let played = play_at(NOW + 20_000, played.payment, &[("read_capture", done)]);
    assert_eq!(played.told, [Told::By(Outcome::Paid, capture)]);
    holds(&played);
}

#[test]
fn a_capture_refused_as_already_so_may_be_our_own() {
    for code in ["TransactionCountExceeded", "InvalidAuthorizationStatus", "DuplicateRequest"] {
        let rests = asked(order(Phase::Authorized), OperationKind::Capture, "c1", None);
        let played = play(
            rests,
            &[
                ("capture", refused(code)),
                ("read_authorization", authorization(A::Closed, "MaxCapturesProcessed", &["C1"])),
                ("find_capture", captured(C::Completed, 2995, "")),
            ],
        );
        assert_eq!(played.payment.phase, Phase::Paid, "{code}");
    }
    // Somebody else's: the payment finds out by itself, and the operation's turn comes again.
    let rests = asked(order(Phase::Authorized), OperationKind::Capture, "c1", None);
    let played = play(
        rests,
        &[
            ("capture", refused("TransactionCountExceeded")),
            ("read_authorization", authorization(A::Closed, "MaxCapturesProcessed", &["C9"])),
            ("find_capture", Ok(Answer::NotFound)),
        ],
    );
    assert_eq!(played.last, Next::Settle(Wait::Backoff));
    assert_eq!(turn::focus(&played.payment, NOW), Some(Focus::Payment));
    holds(&played);
}

#[test]
fn a_refund_is_followed_to_its_end() {
    let paid = asked(order(Phase::Paid), OperationKind::Refund, "r1", Some(1000));
    let played = play(
        paid,
        &[("read_refunds", listed(0, &[])), ("refund", refunded("R1", R::Pending, 1000, ""))],
    );
    let refund = tag(OperationKind::Refund, "r1");
    let news = Told::Operation(refund.clone(), OperationOutcome::PendingAmazon);
    assert_eq!(played.told, [news]);
    assert_eq!(played.last, Next::Settle(Wait::Until(NOW + 20_000)));
    assert_eq!(played.payment.left(), usd(1995));
    holds(&played);
    let still = ("read_refund", refunded("R1", R::Pending, 1000, ""));
    let played = play_at(NOW + 20_000, played.payment, &[still]);
    assert_eq!(played.told, []);
    let done = [("read_refund", refunded("R1", R::Completed, 1000, "")), counted(1000)];
    let played = play_at(NOW + 50_000, played.payment, &done);
    assert_eq!(played.told, [Told::Operation(refund, OperationOutcome::Refunded)]);
    assert_eq!(played.payment.refunded, usd(1000));
    assert_eq!((played.payment.phase, played.payment.left()), (Phase::Paid, usd(1995)));
    holds(&played);
}

#[test]
fn a_refund_that_was_pending_may_be_declined_and_gives_its_amount_back() {
    let paid = asked(order(Phase::Paid), OperationKind::Refund, "r1", None);
    let begin = |payment| {
        play(
            payment,
            &[("read_refunds", listed(0, &[])), ("refund", refunded("R1", R::Pending, 2995, ""))],
        )
    };
    let played = begin(paid.clone());
    assert!(played.payment.left().is_zero());
    let rejected = refunded("R1", R::Declined, 2995, "AmazonRejected");
    let played = play_at(NOW + 20_000, played.payment, &[("read_refund", rejected)]);
    let refund = tag(OperationKind::Refund, "r1");
    assert_eq!(played.told, [Told::Operation(refund.clone(), OperationOutcome::RefundDeclined)]);
    assert_eq!(played.payment.left(), usd(2995));
    holds(&played);

    // A failure inside Amazon is asked again once, under a new key.
    let played = begin(paid);
    let before = super::decide::key_of(&played.payment, &played.payment.operations[0]);
    let failed = |id| refunded(id, R::Declined, 2995, "ProcessingFailure");
    let played = play_at(NOW + 20_000, played.payment, &[("read_refund", failed("R1"))]);
    assert_eq!(played.last, Next::Settle(Wait::Until(NOW + 110_000)));
    let after = super::decide::key_of(&played.payment, &played.payment.operations[0]);
    assert_ne!(before, after);
    let played = play_at(NOW + 110_000, played.payment, &[("refund", failed("R2"))]);
    assert_eq!(played.told, [Told::Operation(refund, OperationOutcome::RefundDeclined)]);
}

#[test]
fn what_went_back_by_other_hands_is_not_given_back_again() {
    let mut theirs = refund_view("R9", R::Completed, 2000, "");
    theirs.key = "seller-central".to_owned();
    let mut refused = refund_view("R8", R::Declined, 900, "AmazonRejected");
    refused.key = "another".to_owned();
    let all = [theirs, refused];
    let paid = asked(order(Phase::Paid), OperationKind::Refund, "r1", Some(1000));
    let played = play(paid, &[("read_refunds", listed(2000, &all))]);
    assert!(matches!(played.last, Next::Reject(RejectionCode::Conflict, _)));
    let paid = asked(order(Phase::Paid), OperationKind::Refund, "r1", None);
    let played = play(
        paid,
        &[("read_refunds", listed(2000, &all)), ("refund", refunded("R1", R::Pending, 995, ""))],
    );
    assert_eq!(played.payment.operations[0].amount, Some(usd(995)));
    assert_eq!(played.payment.refunded, usd(2000));
    holds(&played);
}

#[test]
fn a_lost_answer_to_a_refund_is_the_same_call_again_and_never_declined() {
    let paid = asked(order(Phase::Paid), OperationKind::Refund, "r1", Some(1000));
    let lost = || ("refund", Err(Fault::Unknown));
    let played = play(paid, &[("read_refunds", listed(0, &[])), lost(), lost(), lost()]);
    assert_eq!(played.last, Next::Settle(Wait::Backoff));
    assert_eq!(played.payment.operations[0].exposure, Exposure::Sent);
    holds(&played);

    // The budget is spent: a look that shows nothing is no proof.
    let late = NOW + 86_400_001;
    let script = [lost(), lost(), lost(), ("read_refunds", listed(0, &[]))];
    let silent = play_at(late, played.payment.clone(), &script);
    let Next::Settle(Wait::Operator(reason, _)) = silent.last else { panic!() };
    assert_eq!(reason, DeadLetterReason::UnknownOutcome);

    // One that shows it is.
    let mut ours = refund_view("R1", R::Pending, 1000, "");
    ours.key = super::decide::key_of(&played.payment, &played.payment.operations[0]).to_string();
    let script = [lost(), lost(), lost(), ("read_refunds", listed(0, &[ours]))];
    let shown = play_at(late, played.payment, &script);
    assert_eq!(shown.payment.operations[0].phase, OperationPhase::Pending);
}

#[test]
fn a_refund_refused_as_already_so_is_looked_up_first() {
    for code in ["TransactionAmountExceeded", "TransactionCountExceeded", "CaptureNotRefundable"] {
        let paid = asked(order(Phase::Paid), OperationKind::Refund, "r1", Some(1000));
        let script = [("read_refunds", listed(0, &[])), ("refund", refused(code))];
        let absent = [&script[..], &[("read_refunds", listed(0, &[]))]].concat();
        let played = play(paid.clone(), &absent);
        let refund = tag(OperationKind::Refund, "r1");
        assert_eq!(played.told, [Told::Operation(refund, OperationOutcome::RefundDeclined)]);
        let decline = played.payment.operations[0].decline.clone().unwrap();
        assert_eq!(decline.code, code);
        holds(&played);

        let mut begun = play(paid, &[("read_refunds", listed(0, &[])), lost_once()]).payment;
        let mut ours = refund_view("R1", R::Completed, 1000, "");
        ours.key = super::decide::key_of(&begun, &begun.operations[0]).to_string();
        begun.operations[0].due_at = Some(NOW);
        let script =
            [("refund", refused(code)), ("read_refunds", listed(1000, &[ours])), counted(1000)];
        let played = play(begun, &script);
        assert_eq!(played.payment.operations[0].phase, OperationPhase::Done, "{code}");
    }
}

fn lost_once() -> (&'static str, Reply) {
    ("refund", Err(Fault::Throttled { retry_after_ms: None }))
}

#[test]
fn a_worker_that_died_in_the_middle_makes_the_same_refund_again() {
    let paid = asked(order(Phase::Paid), OperationKind::Refund, "r1", Some(1000));
    let mut dead = play(paid, &[("read_refunds", listed(0, &[])), lost_once()]).payment;
    // As its last commit left it: the intent, and no answer.
    dead.operations[0].exposure = Exposure::Open;
    dead.operations[0].due_at = Some(NOW);
    let focus = turn::focus(&dead, NOW).unwrap();
    let mut claimed = dead.clone();
    turn::claim(&mut claimed, &focus, NOW);
    assert_eq!(claimed.operations[0].exposure, Exposure::Sent);
    let played = play(dead, &[("refund", refunded("R1", R::Pending, 1000, ""))]);
    assert_eq!(played.payment.operations[0].amount, Some(usd(1000)));
}

#[test]
fn a_cancel_asks_for_as_much_proof_as_there_may_be_money() {
    let cancel = tag(OperationKind::Cancel, "x1");
    let by_cancel = || vec![Told::By(Outcome::Canceled, cancel.clone())];
    // Nothing was sent.
    let mut unsent = order(Phase::Authorizing);
    unsent.due_at = Some(NOW);
    let played = play(asked(unsent, OperationKind::Cancel, "x1", None), &[]);
    assert_eq!((played.payment.phase, played.told.clone()), (Phase::Canceled, by_cancel()));
    assert_eq!(played.payment.epoch, 1);
    holds(&played);
    // At rest: the authorization is given back first.
    let rests = asked(order(Phase::Authorized), OperationKind::Cancel, "x1", None);
    let played = play(rests, &[("close_authorization", Ok(Answer::Done))]);
    assert_eq!((played.payment.phase, played.told.clone()), (Phase::Canceled, by_cancel()));
    assert_eq!(played.payment.close_reference_at, None);
    holds(&played);
    // Softly declined: an epoch of its own, and its own message opened it.
    let declined = asked(order(Phase::Declined), OperationKind::Cancel, "x1", None);
    let played = play(declined, &[]);
    assert_eq!((played.payment.phase, played.told.clone()), (Phase::Canceled, by_cancel()));
    assert_eq!((played.payment.epoch, played.payment.opener.clone()), (2, asker("op")));
    // Sent, and no word: its outcome decides.
    let mut sent = order(Phase::Authorizing);
    sent.exposure = Exposure::Sent;
    let waits = asked(sent, OperationKind::Cancel, "x1", None);
    let played = play(waits, &[]);
    assert_eq!(played.last, Next::Settle(Wait::Until(NOW + 86_400_000)));
    assert_eq!(played.payment.phase, Phase::Authorizing);
    // Any other end.
    for phase in [Phase::Paid, Phase::Failed, Phase::Canceled] {
        let played = play(asked(order(phase), OperationKind::Cancel, "x1", None), &[]);
        assert!(matches!(played.last, Next::Reject(RejectionCode::Conflict, _)), "{phase:?}");
    }
}

#[test]
fn an_authorization_that_is_over_is_canceled_only_if_nothing_was_captured() {
    let closed = || ("close_authorization", refused("InvalidAuthorizationStatus"));
    let rests = || asked(order(Phase::Authorized), OperationKind::Cancel, "x1", None);
    let expired = authorization(A::Closed, "ExpiredUnused", &[]);
    let played = play(rests(), &[closed(), ("read_authorization", expired)]);
    assert_eq!(played.payment.phase, Phase::Canceled);
    let taken = authorization(A::Closed, "MaxCapturesProcessed", &["C9"]);
    let played = play(rests(), &[closed(), ("read_authorization", taken)]);
    assert_eq!(played.payment.phase, Phase::Authorized);
    assert_eq!(turn::focus(&played.payment, NOW), Some(Focus::Payment));
    assert_eq!(played.told, []);
}

#[test]
fn an_operation_on_a_payment_in_hand_waits_for_it() {
    let in_hand = order(Phase::CapturePending);
    let played = play(asked(in_hand, OperationKind::Refund, "r1", Some(1000)), &[]);
    assert_eq!(played.last, Next::Settle(Wait::Until(NOW + 86_400_000)));
    // The payment ends, and its turn comes.
    let mut paid = order(Phase::Paid);
    paid.operations = played.payment.operations.clone();
    turn::wake_waiting(&mut paid, NOW + 1);
    assert_eq!(paid.operations[0].due_at, Some(NOW + 1));
    let inspecting = play_at(
        NOW + 1,
        paid,
        &[("read_refunds", Err(Fault::Credentials { code: "AccessDenied".to_owned() }))],
    );
    assert_eq!(inspecting.last, Next::Settle(Wait::Credentials));
    // It never ends: it lies in the dead letters.
    let mut lies = played.payment;
    (lies.due_at, lies.dead_letter) = (None, Some(DeadLetterReason::UnknownOutcome));
    let played = play_at(NOW + 86_400_000, lies, &[]);
    let Next::Settle(Wait::Operator(reason, _)) = played.last else { panic!() };
    assert_eq!(reason, DeadLetterReason::Exhausted);
    // It was declined.
    let mut declined = order(Phase::Declined);
    declined.operations = played.payment.operations;
    let played = play_at(NOW + 86_400_000, declined, &[]);
    assert!(matches!(played.last, Next::Reject(RejectionCode::Conflict, _)));
}

#[test]
fn what_decides_about_the_payment_goes_in_the_order_of_arrival() {
    let both = asked(
        asked(order(Phase::Authorized), OperationKind::Capture, "c1", None),
        OperationKind::Cancel,
        "x1",
        None,
    );
    let played = play(both, &[("capture", captured(C::Pending, 2995, ""))]);
    let cancel = tag(OperationKind::Cancel, "x1");
    assert!(!turn::has_come(&played.payment, &cancel));
    let done = captured(C::Completed, 2995, "");
    let mut waiting = played.payment;
    waiting.operations[1].due_at = Some(NOW + 900_000);
    let played = play_at(NOW + 20_000, waiting, &[("read_capture", done)]);
    assert_eq!(played.payment.phase, Phase::Paid);
    let played = play_at(NOW + 20_000, played.payment, &[]);
    assert!(matches!(played.last, Next::Reject(RejectionCode::Conflict, _)));
}
