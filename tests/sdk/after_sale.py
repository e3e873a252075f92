"""What happens to money after a sale, and month by month: the steps of drive.py for it."""
import json

DAY = 86_400
# Set by drive.py: how its SDK calls are made and read.
HERE = None


def rejected():
    simulation = {"State": "Declined", "ReasonCode": "AmazonRejected"}
    return json.dumps({"SandboxSimulation": simulation})


def wait(seconds):
    HERE.sim("POST", "/clock", {"advanceSeconds": seconds})


def sold(reference, plan=None, pay=None, total="100.00"):
    """The id of a capture, and of the order that it is of."""
    pay = pay or HERE.PAY
    order, _ = HERE.reference(plan)
    HERE.good(pay.set_order_reference_details(order, total))
    HERE.good(pay.confirm_order_reference(order))
    made = HERE.authorization(
        pay.authorize(order, reference, total, transaction_timeout=0, capture_now=True))
    return made["IdList"]["member"], order


def refund_now(name):
    return HERE.good(HERE.PAY.get_refund_details(name))["RefundDetails"]


def capture_now(name, pay=None):
    return HERE.good((pay or HERE.PAY).get_capture_details(name))["CaptureDetails"]


def refunds_and_what_bounds_them():
    pay, state = HERE.PAY, HERE.state
    capture, order = sold("ref-sale", {"refund": ["ProcessingFailure"]})

    def refund(name, amount, note=None):
        return pay.refund(capture, name, amount, note)
    first = HERE.good(refund("ref-1", "60.00"))["RefundDetails"]
    again = HERE.good(refund("ref-1", "60.00"))["RefundDetails"]
    assert again["AmazonRefundId"] == first["AmazonRefundId"], again
    HERE.bad(refund("ref-1", "61.00"), "DuplicateRequest")
    wait(31)
    failed = refund_now(first["AmazonRefundId"])
    assert state(failed, "RefundStatus") == ("Declined", "ProcessingFailure"), failed
    noted = HERE.good(refund("ref-2", "60.00", rejected()))["RefundDetails"]
    assert state(noted, "RefundStatus") == ("Pending", None), noted
    wait(31)
    declined = refund_now(noted["AmazonRefundId"])
    assert state(declined, "RefundStatus") == ("Declined", "AmazonRejected"), declined
    # Neither took anything: 15 % above what was captured may still be given back, in parts.
    HERE.good(refund("ref-3", "60.00"))
    HERE.bad(refund("ref-4", "55.01"), "TransactionAmountExceeded")
    HERE.good(refund("ref-5", "55.00"))
    wait(31)
    shown = capture_now(capture)
    assert shown["RefundedAmount"]["Amount"] == "115.00", shown
    assert state(shown, "CaptureStatus") == ("Closed", "MaxAmountRefunded"), shown
    HERE.bad(refund("ref-6", "1.00"), "CaptureNotRefundable")
    kinds = [kind for kind, _ in HERE.moved(order)]
    assert kinds == ["authorize", "capture", "decline", "decline", "refund", "refund"], kinds

    capture, order = sold("ref-bank")
    back = {"amount": "30.00", "type": "chargeback"}
    HERE.sim("POST", f"/objects/{capture}/dispute", back)
    assert capture_now(capture)["RefundedAmount"]["Amount"] == "30.00", capture_now(capture)
    assert HERE.moved(order)[-1] == ("chargeback", "30.00"), HERE.moved(order)


def captures_that_come_late_or_never():
    live, state = HERE.client(sandbox=False), HERE.state
    order, _ = HERE.reference({"capture": ["ProcessingFailure", "approve"]})
    HERE.good(live.set_order_reference_details(order, "100.00"))
    HERE.good(live.confirm_order_reference(order))
    held = [
        HERE.authorization(live.authorize(order, f"late-{n}", "20.00", transaction_timeout=0))
        for n in range(2)]
    wait(7 * DAY + 1)
    name = held[0]["AmazonAuthorizationId"]

    def captured(reference):
        made = HERE.good(live.capture(name, reference, "20.00"))["CaptureDetails"]
        assert state(made, "CaptureStatus") == ("Pending", None), made
        wait(3_600)
        return capture_now(made["AmazonCaptureId"], live)
    failed = captured("late-c1")
    assert state(failed, "CaptureStatus") == ("Declined", "ProcessingFailure"), failed
    good = captured("late-c2")
    assert state(good, "CaptureStatus") == ("Completed", None), good
    wait(23 * DAY)
    unused = HERE.authorization(
        live.get_authorization_details(held[1]["AmazonAuthorizationId"]))
    assert state(unused) == ("Closed", "ExpiredUnused"), unused
    assert HERE.moved(order)[-1] == ("release", "20.00"), HERE.moved(order)


def subscriptions_month_by_month():
    pay, state = HERE.PAY, HERE.state
    body = {"merchantId": HERE.SELLER["merchantId"], "consent": True,
            "plan": {"authorize": ["approve", "InvalidPaymentMethod"]}}
    name = HERE.sim("POST", "/billing-agreements", body)["amazonBillingAgreementId"]

    def shown():
        return HERE.good(pay.get_billing_agreement_details(name))["BillingAgreementDetails"]
    set_up = HERE.good(pay.set_billing_agreement_details(
        name, seller_note="monthly", seller_billing_agreement_id="SUB-9", store_name="Müller"))
    details = set_up["BillingAgreementDetails"]
    assert state(details, "BillingAgreementStatus") == ("Draft", None), details
    HERE.good(pay.confirm_billing_agreement(name))
    assert state(shown(), "BillingAgreementStatus") == ("Open", None), shown()
    assert HERE.good(pay.validate_billing_agreement(name))["ValidationResult"] == "Success"

    def cycle(reference, amount="499.00", **more):
        return pay.authorize_on_billing_agreement(
            name, reference, amount, transaction_timeout=0, **more)

    def left():
        return float(shown()["BillingAgreementLimits"]["CurrentRemainingBalance"]["Amount"])
    # Captured apart, refunded, and none of that gives any of the month back.
    held = HERE.good(cycle("month-1", seller_order_id="SUB-9-1"))
    charge = held["AuthorizationDetails"]
    assert state(charge) == ("Open", None), held
    capture = HERE.good(pay.capture(charge["AmazonAuthorizationId"], "month-1c", "499.00"))
    capture = capture["CaptureDetails"]["AmazonCaptureId"]
    again = HERE.good(cycle("month-1", seller_order_id="SUB-9-1"))
    assert again["AmazonOrderReferenceId"] == held["AmazonOrderReferenceId"], again
    HERE.bad(cycle("month-1b", "1.01"), "PeriodicAmountExceeded")
    HERE.good(pay.refund(capture, "month-1r", "499.00"))
    assert left() == 1, shown()
    wait(31 * DAY)
    assert left() == 500, shown()

    declined = HERE.good(cycle("month-2", capture_now=True))["AuthorizationDetails"]
    assert state(declined) == ("Declined", "InvalidPaymentMethod"), declined
    suspended = ("Suspended", "InvalidPaymentMethod")
    assert state(shown(), "BillingAgreementStatus") == suspended, shown()
    HERE.bad(cycle("month-2b"), "InvalidBillingAgreementStatus")
    HERE.bad(pay.confirm_billing_agreement(name), "PaymentMethodNotUpdated")
    HERE.sim("POST", f"/objects/{name}/payment-method", {"valid": True})
    assert state(shown(), "BillingAgreementStatus")[0] == "Open", shown()
    HERE.good(cycle("month-2c", capture_now=True))
    HERE.good(pay.close_billing_agreement(name, "enough"))
    HERE.bad(cycle("month-3"), "InvalidBillingAgreementStatus")
    expected = ["authorize", "capture", "refund", "decline", "authorize", "capture"]
    assert [kind for kind, _ in HERE.moved(name)] == expected, HERE.moved(name)


STEPS = [
    refunds_and_what_bounds_them,
    captures_that_come_late_or_never,
    subscriptions_month_by_month,
]
