//! Where Amazon lists no refunds (API v2), its sum alone tells what went back by other hands, and a
//! refund of ours that is under way may be in that sum or not.

use super::super::OperationPhase;
use super::{NOW, asked, holds, listed, order, play, play_at, refunded, tag, usd};
use crate::domain::decline::RejectionCode;
use crate::domain::gateway::RefundState as R;
use crate::domain::operation::OperationKind;
use crate::domain::payment::decide::{Next, Wait};
use crate::domain::payment::{DeadLetterReason, Payment, Phase};

/// 29.95 captured, 10.00 of it being refunded by us, and another refund just asked for.
fn under_way(second: Option<i64>) -> Payment {
    let mut payment = asked(order(Phase::Paid), OperationKind::Refund, "r1", Some(1000));
    let first = &mut payment.operations[0];
    (first.phase, first.amount, first.due_at) =
        (OperationPhase::Pending, Some(usd(1000)), Some(NOW + 60_000));
    asked(payment, OperationKind::Refund, "r2", second)
}

#[test]
fn what_surely_is_left_is_refunded_beside_one_under_way() {
    // 5.00 of others, or half of ours: 14.95 are left either way.
    let script =
        [("read_refunds", listed(500, &[])), ("refund", refunded("R2", R::Pending, 1495, ""))];
    let played = play(under_way(Some(1495)), &script);
    assert_eq!(played.payment.operations[1].amount, Some(usd(1495)));
    holds(&played);
}

#[test]
fn what_may_be_gone_by_other_hands_waits_for_ours_to_end_and_is_never_refunded_twice() {
    for second in [Some(1500), Some(1995), None] {
        let waits = play(under_way(second), &[("read_refunds", listed(500, &[]))]);
        assert_eq!(waits.last, Next::Settle(Wait::Backoff), "{second:?}");
        assert_eq!(waits.payment.operations[1].amount, None, "nothing is fixed yet");
        // Ours has ended, and was not in the sum: 5.00 went back by other hands.
        let mut ended = waits.payment;
        ended.operations[0].phase = OperationPhase::Done;
        let script = [("read_refunds", listed(1500, &[]))];
        match second {
            Some(_) => {
                let played = play(ended, &script);
                assert!(matches!(played.last, Next::Reject(RejectionCode::Conflict, _)));
            }
            None => {
                let refund = ("refund", refunded("R2", R::Pending, 1495, ""));
                let [read] = script;
                let played = play(ended, &[read, refund]);
                assert_eq!(played.payment.operations[1].amount, Some(usd(1495)));
                holds(&played);
            }
        }
    }
}

#[test]
fn more_than_can_be_left_is_rejected_at_once_and_the_wait_has_a_bound() {
    let too_much = play(under_way(Some(1995)), &[("read_refunds", listed(1600, &[]))]);
    assert!(matches!(too_much.last, Next::Reject(RejectionCode::Conflict, _)));
    let late = NOW + 200_000_000;
    let mut payment = under_way(Some(1995));
    payment.operations[0].due_at = Some(late + 1);
    let spent = play_at(late, payment, &[("read_refunds", listed(500, &[]))]);
    let Next::Settle(Wait::Operator(reason, _)) = spent.last else { panic!("{:?}", spent.last) };
    assert_eq!(reason, DeadLetterReason::Exhausted, "nothing was sent");
}

#[test]
fn our_own_refund_in_amazon_s_sum_is_not_taken_for_another_s() {
    let mut payment = under_way(Some(1995));
    payment.operations.remove(1);
    payment.refunded = usd(1000);
    assert_eq!(payment.left(), usd(1995));
    payment.refunded = usd(1500);
    assert_eq!(payment.left(), usd(1495));
    let first = payment.operation_mut(&tag(OperationKind::Refund, "r1"));
    first.unwrap().phase = OperationPhase::Done;
    assert_eq!(payment.left(), usd(1495));
}
