//! What is asked after the sale, while workers come and die: captures, refunds and cancels, each
//! perhaps more than once, and what the ledger must show of them.

use amazon_pay_worker::domain::operation::OperationKind;
use amazon_pay_worker::domain::payment::operations::OperationPhase;
use amazon_pay_worker::domain::payment::{Payment, Phase};
use amazon_pay_worker::ports::broker::Message;
use serde_json::json;

use super::{ORDERS, World, command, reference};

/// Every fourth order rests after its authorization.
pub(crate) fn is_manual(number: u64) -> bool {
    number % 4 == 3
}

fn operation(
    kind: &str,
    number: u64,
    request: &str,
    message: &str,
    amount: Option<&str>,
) -> Message {
    let mut body = json!({
        "orderId": format!("O{number}"),
        "amazonBillerId": "7",
        "requestId": request,
    });
    if let Some(amount) = amount {
        body["amount"] = json!(amount);
    }
    command(&format!("{kind}.request"), message, body)
}

impl World {
    pub(crate) async fn ask_after_the_sale(&mut self) {
        for number in 0..ORDERS {
            if is_manual(number) {
                let part = self.chance.percent(50).then_some("7.50");
                self.ask("capture", number, "c1", part);
                if self.chance.percent(30) {
                    self.ask("cancel", number, "x1", None);
                }
            }
            self.ask("refund", number, "r1", Some("3.00"));
            if self.chance.percent(60) {
                self.ask("refund", number, "r2", Some("2.00"));
            }
            if self.chance.percent(40) {
                self.ask("refund", number, "r3", None);
            }
            if self.chance.percent(20) {
                self.ask("cancel", number, "x2", None);
            }
        }
        self.die_and_come().await;
        self.settle().await;
    }

    /// Once, or under other message ids too, or the same message again.
    fn ask(&self, kind: &str, number: u64, request: &str, amount: Option<&str>) {
        let message = format!("{kind}-{number}-{request}");
        self.broker.send(operation(kind, number, request, &message, amount));
        if self.chance.percent(30) {
            self.broker.send(operation(kind, number, request, &message, amount));
        }
        if self.chance.percent(30) {
            let again = format!("{message}-again");
            self.broker.send(operation(kind, number, request, &again, amount));
        }
    }

    /// The ledger shows each refund once, never more than was captured, and what the payments say.
    pub(crate) fn judge_refunds(&self, number: u64, payments: &[&Payment]) {
        let ledger = self.amazon.refunded(&reference(number));
        let sum: i64 = ledger.iter().map(|(_, amount)| amount.minor()).sum();
        let captured = self.amazon.captured(&reference(number));
        let captured: i64 = captured.iter().map(|amount| amount.minor()).sum();
        assert!(sum <= captured, "{sum} refunded of {captured}: {ledger:?}");
        let refunds = payments.iter().flat_map(|payment| {
            payment.operations.iter().filter(|one| one.tag.kind == OperationKind::Refund)
        });
        let (mut done, mut unknown) = (Vec::new(), 0);
        for refund in refunds {
            if refund.phase == OperationPhase::Done {
                done.extend(refund.amount);
            } else if refund.dead_letter.is_some() {
                unknown += 1;
            }
        }
        assert!(
            ledger.len() >= done.len() && ledger.len() <= done.len() + unknown,
            "{done:?} refunded, {unknown} unknown, the ledger has {ledger:?}: {payments:?}"
        );
        for payment in payments {
            if payment.phase == Phase::Canceled {
                assert!(payment.capture_id.is_none(), "{payment:?}");
            }
        }
    }
}
