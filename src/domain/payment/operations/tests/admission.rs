//! Whether an operation begins, joins, is answered again, or is not acceptable.

use super::super::OperationPhase;
use super::super::admission::{OperationAdmission, admit};
use super::{asked, command, order, usd};
use crate::domain::decline::RejectionCode;
use crate::domain::money::Currency;
use crate::domain::operation::OperationKind;
use crate::domain::payment::admission::{Known, Seen, SeenMessage};
use crate::domain::payment::{Payment, Phase};

fn known(payment: Payment) -> Known {
    Known { payment: Some(payment), ..Known::default() }
}

#[test]
fn a_request_id_happens_once() {
    use OperationAdmission as Is;
    let paid = || known(order(Phase::Paid));
    let refund = |amount| command(OperationKind::Refund, "r1", amount);
    assert_eq!(admit(&refund(Some(1000)), "f", &paid()), Is::Open);
    assert_eq!(admit(&refund(None), "f", &paid()), Is::Open);
    assert!(matches!(admit(&refund(Some(2996)), "f", &paid()), Is::Reject(..)));
    assert_eq!(admit(&refund(None), "f", &Known::default()), Is::Unknown);

    let open = known(asked(order(Phase::Paid), OperationKind::Refund, "r1", Some(1000)));
    assert_eq!(admit(&refund(Some(1000)), "f", &open), Is::Join);
    assert!(matches!(admit(&refund(Some(1001)), "f", &open), Is::Reject(..)));
    assert!(matches!(admit(&refund(None), "f", &open), Is::Reject(..)));
    let mut euros = refund(Some(1000));
    euros.wanted.currency = Some(Currency::EUR);
    assert!(matches!(admit(&euros, "f", &open), Is::Reject(..)));
    // Another kind of operation has request ids of its own.
    let capture = command(OperationKind::Capture, "r1", None);
    assert!(matches!(admit(&capture, "f", &open), Is::Reject(..)));

    let mut done = open.clone();
    let operation = &mut done.payment.as_mut().unwrap().operations[0];
    operation.phase = OperationPhase::Done;
    operation.amount = Some(usd(1000));
    operation.latest_event = Some("evt_1".to_owned());
    assert_eq!(admit(&refund(Some(1000)), "f", &done), Is::Again(Some("evt_1".to_owned())));

    let mut seen = done.clone();
    let first = SeenMessage { fingerprint: "g".to_owned(), seen: Seen::Accepted("p".to_owned()) };
    seen.message = Some(first);
    assert!(matches!(admit(&refund(Some(1000)), "f", &seen), Is::Reject(..)));
    assert_eq!(admit(&refund(Some(1000)), "g", &seen), Is::Again(Some("evt_1".to_owned())));
}

#[test]
fn what_cannot_be_done_is_refused_at_once() {
    for (phase, kind) in [
        (Phase::Authorized, OperationKind::Refund),
        (Phase::Declined, OperationKind::Refund),
        (Phase::Declined, OperationKind::Capture),
        (Phase::Paid, OperationKind::Capture),
        (Phase::Paid, OperationKind::Cancel),
        (Phase::Canceled, OperationKind::Cancel),
        (Phase::Failed, OperationKind::Refund),
    ] {
        let judged = admit(&command(kind, "q1", None), "f", &known(order(phase)));
        assert!(matches!(judged, OperationAdmission::Reject(..)), "{phase:?} {kind:?}");
    }
    // Several refunds never come to more than was captured.
    let mut payment = asked(order(Phase::Paid), OperationKind::Refund, "r1", Some(2000));
    payment.operations[0].amount = Some(usd(2000));
    payment.operations[0].phase = OperationPhase::Pending;
    let known = known(payment);
    let refund = |amount| admit(&command(OperationKind::Refund, "r2", Some(amount)), "f", &known);
    assert_eq!(refund(995), OperationAdmission::Open);
    assert!(matches!(refund(996), OperationAdmission::Reject(RejectionCode::Conflict, _)));
}
