//! Two charges for one cycle: whatever becomes of the earlier one while the newer one is taken in,
//! they are never both made.

use std::time::Duration;

use amazon_pay_worker::domain::command::{
    Asker, AuthorizationMode, CaptureMode, PaymentKey, Sale, Subject, Texts,
};
use amazon_pay_worker::domain::decline::Decline;
use amazon_pay_worker::domain::ids::{
    ChargeId, MerchantAccountId, MessageId, OrderId, ReferenceId,
};
use amazon_pay_worker::domain::mandate::{Mandate, mandate_id};
use amazon_pay_worker::domain::money::{Currency, Money};
use amazon_pay_worker::domain::payment::admission::Seen;
use amazon_pay_worker::domain::payment::{Payment, Phase};
use serde_json::json;

use super::{World, account, command};

const AGREEMENT: &str = "C01-0000000-0000001";

fn earlier(now: i64) -> Payment {
    let sale = Sale {
        key: PaymentKey {
            mid: MerchantAccountId::new("7").unwrap(),
            subject: Subject::Charge(ChargeId::new("A").unwrap()),
        },
        reference: Some(ReferenceId::new(AGREEMENT).unwrap()),
        amount: Money::from_minor(1_000, Currency::USD),
        capture: CaptureMode::Immediate,
        authorization: AuthorizationMode::SyncThenAsync,
        initial_charge: true,
        of_order: Some(OrderId::new("O1").unwrap()),
        not_before: None,
        texts: Texts { cycle: Some("7".to_owned()), ..Texts::default() },
    };
    let asker = Asker {
        message_id: MessageId::new("m-a").unwrap(),
        reply_to: None,
        correlation_id: None,
        traceparent: None,
    };
    let mut payment = Payment::open(sale, asker, account().merchant.seller_account(), now);
    payment.phase = Phase::Declined;
    payment.decline = Some(Decline::invalid_payment_method("InvalidPaymentMethod"));
    payment.latest_event = Some("evt".to_owned());
    payment.due_at = None;
    payment.version = 1;
    payment
}

#[test]
fn a_charge_that_was_authorized_again_meanwhile_is_not_made_beside() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(0);
        world.trouble = 0;
        let (before, mid) = (earlier(0), MerchantAccountId::new("7").unwrap());
        let (id, seller) = (before.id(), before.seller_account.clone());
        let reference = before.reference.clone().unwrap();
        {
            let mut rows = world.memory.rows.lock().unwrap();
            let mandate = Mandate::new(&seller, &reference, &mid, 0);
            rows.mandates.insert(mandate.id(), mandate);
            rows.payments.insert(id.clone(), before);
        }
        // The buyer mended the method: it is taken up again between two reads of the newer one.
        *world.memory.after_rivals.lock().unwrap() = Some(Box::new(move |rows| {
            let earlier = rows.payments.get_mut(&id).unwrap();
            earlier.reauthorize(0);
            earlier.due_at = Some(i64::MAX);
            earlier.version += 1;
            rows.mandates.get_mut(&mandate_id(&seller, &reference)).unwrap().version += 1;
        }));
        world.spawn(u64::MAX);
        let newer = json!({
            "chargeId": "B", "amazonBillerId": "7", "amazonBillingAgreementId": AGREEMENT,
            "orderId": "O1", "cycle": 7, "amount": "10.00", "currency": "USD",
        });
        world.broker.send(command("charge.recurring", "m-b", newer));
        tokio::time::sleep(Duration::from_secs(120)).await;

        let rows = world.memory.rows.lock().unwrap();
        let seen = rows.inbox.get("m-b").map(|message| &message.seen);
        assert!(matches!(seen, Some(Seen::Rejected(_))), "{seen:?}");
        assert!(!rows.payments.contains_key("7/charge/B"));
    });
}
