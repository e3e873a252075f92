//! Looks at what is paid: what each answer adds, what none may change, and when the next is due.

use super::lookout::{BY_HINT, arm, begin, heed, on_reply};
use super::{Found, Payment, Phase, Told};
use crate::domain::command::{
    Asker, AuthorizationMode, CaptureMode, PaymentKey, Sale, Subject, Texts,
};
use crate::domain::gateway::{
    Answer, CaptureState, CaptureView, Effect, Fault, RefundState as R, RefundView, Reply,
};
use crate::domain::ids::{
    AuthorizationId, CaptureId, MerchantAccountId, MessageId, OrderId, ReferenceId, RefundId,
};
use crate::domain::money::{Currency, Money};
use crate::domain::notification::About;
use crate::domain::policy::Policy;

const NOW: i64 = 1_795_000_000_000;
const DAY: i64 = 86_400_000;

fn usd(minor: i64) -> Money {
    Money::from_minor(minor, Currency::USD)
}

fn order(phase: Phase) -> Payment {
    let sale = Sale {
        key: PaymentKey {
            mid: MerchantAccountId::new("7").unwrap(),
            subject: Subject::Order(OrderId::new("CRM-1").unwrap()),
        },
        reference: Some(ReferenceId::new("S01-0000001-0000001").unwrap()),
        amount: usd(2995),
        capture: CaptureMode::Immediate,
        authorization: AuthorizationMode::SyncThenAsync,
        initial_charge: true,
        of_order: None,
        not_before: None,
        texts: Texts::default(),
    };
    let asker = Asker {
        message_id: MessageId::new("m1").unwrap(),
        reply_to: None,
        correlation_id: None,
        traceparent: None,
    };
    let mut payment = Payment::open(sale, asker, "na/sandbox/A1".to_owned(), NOW);
    payment.phase = phase;
    payment.due_at = payment.in_hand().then_some(NOW + DAY);
    payment
}

fn paid() -> Payment {
    let mut payment = order(Phase::Paid);
    payment.authorization_id = Some(AuthorizationId::new("A1").unwrap());
    payment.capture_id = Some(CaptureId::new("C1").unwrap());
    payment.captured = usd(2995);
    payment.latest_event = Some("evt".to_owned());
    arm(&mut payment, NOW, &Policy::default());
    payment
}

fn refund(id: &str, state: R, minor: i64, dispute: bool) -> RefundView {
    RefundView {
        id: RefundId::new(id).unwrap(),
        key: String::new(),
        dispute,
        state,
        reason: None,
        amount: Some(usd(minor)),
    }
}

fn listed(sum: i64, refunds: &[RefundView]) -> Reply {
    let view = CaptureView {
        id: CaptureId::new("C1").unwrap(),
        key: String::new(),
        state: CaptureState::Completed,
        reason: None,
        amount: Some(usd(2995)),
        refunded: Some(usd(sum)),
    };
    Ok(Answer::Refunds(view, refunds.to_vec()))
}

fn look(payment: &mut Payment, reply: Reply, now: i64) -> Vec<Told> {
    assert!(matches!(begin(payment), Some(Effect::ReadRefunds(_))));
    let (before, policy) = (payment.clone(), Policy::default());
    let told = on_reply(payment, reply, now, &policy);
    assert_eq!(payment.phase, before.phase, "an end is final");
    assert_eq!(payment.captured, before.captured);
    assert!(payment.refunded.minor() >= before.refunded.minor());
    told
}

fn found(id: &str, minor: i64, dispute: bool) -> Told {
    Told::Found(Found { id: Some(RefundId::new(id).unwrap()), amount: usd(minor), dispute })
}

#[test]
fn a_refund_and_a_dispute_are_told_once_and_counted() {
    let mut payment = paid();
    let one = refund("R1", R::Completed, 500, false);
    assert_eq!(
        look(&mut payment, listed(500, std::slice::from_ref(&one)), NOW + DAY),
        [found("R1", 500, false)]
    );
    assert_eq!(payment.refunded, usd(500));
    let two = refund("R2", R::Completed, 1000, true);
    let both = [one, two];
    assert_eq!(look(&mut payment, listed(1500, &both), NOW + 3 * DAY), [found("R2", 1000, true)]);
    assert_eq!(payment.refunded, usd(1500));
    assert!(look(&mut payment, listed(1500, &both), NOW + 7 * DAY).is_empty());
    assert_eq!(payment.left(), usd(1495));
}

#[test]
fn what_is_pending_or_declined_is_not_told_and_looked_at_soon_or_never() {
    let mut payment = paid();
    let pending = refund("R1", R::Pending, 500, false);
    assert!(look(&mut payment, listed(0, &[pending]), NOW + DAY).is_empty());
    assert_eq!(payment.lookout.at, Some(NOW + DAY + 6 * 3_600_000));
    let declined = refund("R1", R::Declined, 500, false);
    assert!(look(&mut payment, listed(0, &[declined]), NOW + 2 * DAY).is_empty());
    assert_eq!(payment.refunded, usd(0));
    assert!(payment.lookout.at > Some(NOW + 3 * DAY));
}

#[test]
fn without_a_list_the_sum_tells() {
    let mut payment = paid();
    let told = look(&mut payment, listed(700, &[]), NOW + DAY);
    assert_eq!(told, [Told::Found(Found { id: None, amount: usd(700), dispute: false })]);
    assert!(heed(&mut payment, About::Chargeback, NOW + 2 * DAY));
    let told = look(&mut payment, listed(2995, &[]), NOW + 2 * DAY);
    assert_eq!(told, [Told::Found(Found { id: None, amount: usd(2295), dispute: true })]);
    assert!(!payment.lookout.dispute_told);
    assert!(look(&mut payment, listed(2995, &[]), NOW + 3 * DAY).is_empty());
}

#[test]
fn looks_grow_apart_and_end() {
    let (mut payment, mut days) = (paid(), Vec::new());
    while let Some(at) = payment.lookout.at {
        days.push((at - NOW) / DAY);
        assert!(look(&mut payment, listed(0, &[]), at).is_empty());
        assert!(days.len() < 20);
    }
    assert_eq!(days, [1, 3, 7, 15, 31, 63, 108, 153, 180]);
}

#[test]
fn trouble_puts_a_look_off_and_changes_nothing() {
    let mut payment = paid();
    for (tries, fault) in [
        Fault::NotSent,
        Fault::Unknown,
        Fault::Unavailable { code: "503".to_owned() },
        Fault::Credentials { code: "AccessDenied".to_owned() },
    ]
    .into_iter()
    .enumerate()
    {
        assert!(look(&mut payment, Err(fault), NOW + DAY).is_empty());
        assert_eq!(payment.lookout.troubles as usize, tries + 1);
        assert!(payment.lookout.at > Some(NOW + DAY));
    }
    payment.lookout.troubles = 4_000_000_000;
    look(&mut payment, Err(Fault::Unknown), NOW + DAY);
    assert_eq!(payment.lookout.at, Some(NOW + DAY + 3_600_000));
    look(&mut payment, listed(0, &[]), NOW + DAY);
    assert_eq!(payment.lookout.troubles, 0);
    let refused = Err(Fault::Refused { code: "InvalidCaptureId".to_owned() });
    look(&mut payment, refused, NOW + 2 * DAY);
    assert!(payment.lookout.at > Some(NOW + 2 * DAY));
}

#[test]
fn hints_wake_what_waits_for_amazon_and_nothing_else() {
    for phase in Phase::ALL {
        for about in About::ALL {
            let mut payment = order(*phase);
            if *phase == Phase::Paid {
                payment = paid();
            }
            let before = payment.clone();
            let heeded = heed(&mut payment, *about, NOW + 5_000);
            let waits = matches!(
                phase,
                Phase::AuthorizationPending | Phase::CapturePending | Phase::Authorized
            );
            let money = matches!(about, About::Refund | About::Chargeback | About::Other);
            if *phase == Phase::Paid {
                let news = matches!(about, About::Capture | About::Charge) || money;
                assert_eq!(heeded, news && *about != About::Other, "{about:?}");
                assert!(!heeded || payment.lookout.at == Some(BY_HINT));
            } else if waits && !money {
                assert!(heeded);
                assert_eq!(payment.due_at, Some(NOW + 5_000), "{phase:?} {about:?}");
            } else {
                assert!(!heeded, "{phase:?} {about:?}");
            }
            assert_eq!(payment.phase, before.phase);
            assert!(heeded || payment == before, "{phase:?} {about:?}");
        }
    }
}

#[test]
fn many_hints_make_few_looks() {
    let mut payment = paid();
    assert!(heed(&mut payment, About::Capture, NOW + 10));
    look(&mut payment, listed(0, &[]), NOW + 20);
    assert_eq!((payment.lookout.looks, payment.lookout.at), (0, Some(NOW + DAY)));
    for at in 30..50 {
        assert!(heed(&mut payment, About::Capture, NOW + at));
    }
    assert_eq!(payment.lookout.at, Some(NOW + 1_020));
}
