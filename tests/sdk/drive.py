"""Drives the simulator by Amazon's official Python SDK, unmodified but for the address.

    drive.py http://127.0.0.1:PORT

Every step asserts what Amazon answers; the first that is wrong ends the script with a trace.
"""
import json
import sys
import urllib.error
import urllib.request

import after_sale
import requests
from amazon_pay.client import AmazonPayClient
from amazon_pay.login_with_amazon import LoginWithAmazon
from amazon_pay.payment_request import PaymentRequest

import notified

BASE = sys.argv[1]
SELLER = {
    "merchantId": "A2SIMSELLER001",
    "accessKey": "AKIAEXAMPLESIMULATOR",
    "secretKey": "simulator/secret+key==0123456789",
    "clientId": "amzn1.application-oa2-client.0123456789abcdef",
    "region": "na",
}
BUYER = {"name": "Grüße Ünal", "email": "buyer@example.com"}
NOTE = "Grüße & 50% off: a+b = c/d ~ (x*y)!"


def sim(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + "/_sim" + path, data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def client(sandbox=True, **changed):
    """The SDK as its users make it; only the address is another."""
    keys = {"mws_access_key": SELLER["accessKey"], "mws_secret_key": SELLER["secretKey"]}
    keys.update(changed)
    made = AmazonPayClient(
        merchant_id=SELLER["merchantId"], region="na", currency_code="USD",
        sandbox=sandbox, handle_throttle=False, **keys)
    made._mws_endpoint = made._mws_endpoint.replace("https://mws.amazonservices.com", BASE)
    return made


PAY = None


def reference(plan=None):
    body = {"merchantId": SELLER["merchantId"], "buyer": BUYER, "plan": plan}
    made = sim("POST", "/order-references", body)
    return made["amazonOrderReferenceId"], made["accessToken"]


def good(response):
    assert response.success, response.to_xml()
    ((root, answer),) = response.to_dict().items()
    return answer[root.replace("Response", "Result")]


def bad(response, code):
    assert not response.success, response.to_xml()
    error = response.to_dict()["ErrorResponse"]["Error"]
    assert error["Code"] == code, response.to_xml()
    assert response.request_id, response.to_xml()
    return error


def confirmed(total="106.00", plan=None, **attributes):
    order, token = reference(plan)
    set_up = good(PAY.set_order_reference_details(order, total, **attributes))
    assert "Constraints" not in set_up["OrderReferenceDetails"], set_up
    good(PAY.confirm_order_reference(order))
    return order, token


def authorization(response):
    return good(response)["AuthorizationDetails"]


def state(details, of="AuthorizationStatus"):
    return details[of]["State"], details[of].get("ReasonCode")


def now(name):
    return authorization(PAY.get_authorization_details(name))


def order_now(order):
    return good(PAY.get_order_reference_details(order))["OrderReferenceDetails"]


def moved(order):
    return [(e["kind"], e["amount"]) for e in sim("GET", "/ledger?objectId=" + order)["entries"]]


def the_sale_of_one_call_and_a_refund():
    order, token = reference()
    draft = order_now(order)
    assert draft["OrderReferenceStatus"] == {"State": "Draft"}, draft
    assert draft["Constraints"]["Constraint"]["ConstraintID"] == "AmountNotSet", draft
    assert "Name" not in draft["Destination"]["PhysicalDestination"], draft
    bad(PAY.confirm_order_reference(order), "ConstraintsExist")
    with_token = PAY.get_order_reference_details(order, address_consent_token=token)
    shown = good(with_token)["OrderReferenceDetails"]
    assert shown["Buyer"]["Name"] == BUYER["name"], shown
    good(PAY.set_order_reference_details(
        order, "106.00", seller_note=NOTE, seller_order_id="CRM-1001",
        store_name="Müller's Shop, 東京"))
    good(PAY.confirm_order_reference(order))
    bad(PAY.set_order_reference_details(order, "1.00"), "OrderReferenceNotModifiable")
    details = order_now(order)
    assert details["SellerNote"] == NOTE, details
    assert details["SellerOrderAttributes"]["StoreName"] == "Müller's Shop, 東京", details

    def authorize():
        return PAY.authorize(
            order, "ord-42_a1", "106.00", "thanks", transaction_timeout=0, capture_now=True,
            soft_descriptor="ACME*WIDGETS")
    sold = authorization(authorize())
    assert state(sold) == ("Closed", "MaxCapturesProcessed"), sold
    assert sold["CapturedAmount"]["Amount"] == "0", sold
    assert sold["SoftDescriptor"] == "AMZ*ACME*WIDGETS", sold
    assert now(sold["AmazonAuthorizationId"])["CapturedAmount"]["Amount"] == "106.00"
    again = authorization(authorize())
    assert again["AmazonAuthorizationId"] == sold["AmazonAuthorizationId"], again
    other = PAY.authorize(order, "ord-42_a1", "1.00", transaction_timeout=0, capture_now=True)
    bad(other, "DuplicateRequest")

    capture = sold["IdList"]["member"]
    assert capture == sold["AmazonAuthorizationId"].replace("-A", "-C"), sold
    captured = good(PAY.get_capture_details(capture))["CaptureDetails"]
    assert state(captured, "CaptureStatus") == ("Completed", None), captured
    refund = good(PAY.refund(capture, "ord-42_r1", "10.00"))["RefundDetails"]
    assert state(refund, "RefundStatus") == ("Pending", None), refund
    sim("POST", "/clock", {"advanceSeconds": 31})
    refund = good(PAY.get_refund_details(refund["AmazonRefundId"]))["RefundDetails"]
    assert state(refund, "RefundStatus") == ("Completed", None), refund
    assert len(PAY.get_payment_details(order)) == 4
    expected = [("authorize", "106.00"), ("capture", "106.00"), ("refund", "10.00")]
    assert moved(order) == expected, moved(order)


def a_capture_of_its_own_and_what_closes():
    order, _ = confirmed()
    held = authorization(PAY.authorize(order, "own-a", "100.00", transaction_timeout=0))
    assert state(held) == ("Open", None) and held["IdList"] is None, held
    name = held["AmazonAuthorizationId"]
    bad(PAY.capture(name, "own-a", "60.00"), "DuplicateReferenceId")
    bad(PAY.capture(name, "own-c", "100.01"), "TransactionAmountExceeded")
    captured = good(PAY.capture(name, "own-c", "60.00", "note"))["CaptureDetails"]
    assert state(captured, "CaptureStatus") == ("Completed", None), captured
    bad(PAY.capture(name, "own-c2", "1.00"), "TransactionCountExceeded")
    assert moved(order)[-2:] == [("capture", "60.00"), ("release", "40.00")], moved(order)

    spare = authorization(PAY.authorize(order, "own-b", "5.00", transaction_timeout=0))
    good(PAY.close_authorization(spare["AmazonAuthorizationId"], "not needed"))
    assert state(now(spare["AmazonAuthorizationId"])) == ("Closed", "SellerClosed")
    bad(PAY.cancel_order_reference(order, "too late"), "InvalidCancelAttempt")
    good(PAY.close_order_reference(order, "all done"))
    assert state(order_now(order), "OrderReferenceStatus") == ("Closed", "SellerClosed")
    bad(PAY.authorize(order, "own-d", "1.00"), "InvalidOrderReferenceStatus")

    order, _ = confirmed()
    open_still = authorization(PAY.authorize(order, "can-a", "100.00", transaction_timeout=0))
    good(PAY.cancel_order_reference(order, "sorry"))
    closed = now(open_still["AmazonAuthorizationId"])
    assert state(closed) == ("Closed", "OrderReferenceCanceled"), closed


def an_asynchronous_authorization():
    order, _ = confirmed()
    pending = authorization(PAY.authorize(order, "asy-a", "106.00", capture_now=True))
    assert state(pending) == ("Pending", None), pending
    assert moved(order) == [], moved(order)
    sim("POST", "/clock", {"advanceSeconds": 31})
    decided = now(pending["AmazonAuthorizationId"])
    assert state(decided) == ("Closed", "MaxCapturesProcessed"), decided


def declines_by_simulation_notes():
    def note(state_, reason, **more):
        return json.dumps({"SandboxSimulation": dict(State=state_, ReasonCode=reason, **more)})
    expected = [
        ("InvalidPaymentMethod", ("Suspended", "InvalidPaymentMethod")),
        ("AmazonRejected", ("Closed", "AmazonClosed")),
        ("TransactionTimedOut", ("Open", None)),
    ]
    for reason, order_state in expected:
        order, _ = confirmed()
        said = note("Declined", reason)
        declined = authorization(
            PAY.authorize(order, "note-" + reason, "106.00", said, transaction_timeout=0))
        assert state(declined) == ("Declined", reason), declined
        assert state(order_now(order), "OrderReferenceStatus") == order_state, order_now(order)
    wrong = note("Declined", "ProcessingFailure")
    bad(PAY.authorize(order, "note-x", "106.00", wrong), "InvalidSandboxSimulationSpecified")

    order, _ = confirmed()
    said = note("Declined", "InvalidPaymentMethod", PaymentMethodUpdateTimeInMins=1)
    PAY.authorize(order, "mend-1", "106.00", said)
    sim("POST", "/clock", {"advanceSeconds": 31})
    assert state(order_now(order), "OrderReferenceStatus")[0] == "Suspended"
    bad(PAY.confirm_order_reference(order), "PaymentMethodNotUpdated")
    sim("POST", "/clock", {"advanceSeconds": 60})
    assert state(order_now(order), "OrderReferenceStatus")[0] == "Open"

    order, _ = reference()
    constraint = '{"SandboxSimulation":{"Constraint":"PaymentMethodNotAllowed"}}'
    set_up = good(PAY.set_order_reference_details(order, "106.00", seller_note=constraint))
    found = set_up["OrderReferenceDetails"]["Constraints"]["Constraint"]["ConstraintID"]
    assert found == "PaymentMethodNotAllowed", set_up
    bad(PAY.confirm_order_reference(order), "ConstraintsExist")


def the_sdk_s_own_charge_and_its_lists():
    for number in range(3):
        order, _ = reference()
        charged = PAY.charge(order, "19.95", f"chg-{number}", "note", charge_order_id="LIST-7")
        assert state(authorization(charged)) == ("Closed", "MaxCapturesProcessed")
    first = good(PAY.list_order_reference("LIST-7", "SellerOrderId", page_size=2))
    assert len(first["OrderReferenceList"]["OrderReference"]) == 2, first
    rest = good(PAY.list_order_reference_by_next_token(first["NextPageToken"]))
    last = rest["OrderReferenceList"]["OrderReference"]
    assert last["AmazonOrderReferenceId"] == order and "NextPageToken" not in rest, rest
    closed = good(PAY.list_order_reference(
        "LIST-7", "SellerOrderId", order_reference_status_list_filter=["Closed", "Canceled"]))
    assert closed["OrderReferenceList"] is None, closed
    attributes = good(PAY.set_order_attributes(order, custom_information="lander 9"))
    shown = attributes["OrderReferenceDetails"]["SellerOrderAttributes"]
    assert shown["CustomInformation"] == "lander 9", attributes
    changed = PAY.set_order_attributes(order, seller_order_id="LIST-8")
    bad(changed, "OrderReferenceNotModifiable")


def status_and_profile():
    assert good(PAY.get_service_status())["Status"] == "GREEN"
    assert good(PAY.get_merchant_account_status())["AccountStatus"] == "ACTIVE"
    _, token = reference()
    login = LoginWithAmazon(SELLER["clientId"], region="na", sandbox=True)
    login._endpoint = BASE
    profile = login.get_login_profile(token)
    assert (profile["name"], profile["email"]) == (BUYER["name"], BUYER["email"]), profile
    stranger = LoginWithAmazon("amzn1.application-oa2-client.other", region="na")
    stranger._endpoint = BASE
    for wrong, token_ in ((stranger, token), (login, "Atza|nobody")):
        try:
            wrong.get_login_profile(token_)
        except ValueError:
            continue
        raise AssertionError("the token was accepted")


def who_signs_wrongly_is_refused():
    order, _ = confirmed()
    bad(client(mws_secret_key="another").confirm_order_reference(order), "SignatureDoesNotMatch")
    bad(client(mws_access_key="AKIANOBODY").get_service_status(), "InvalidAccessKeyId")
    bad(client(sandbox=False).confirm_order_reference(order), "InvalidOrderReferenceId")
    bad(PAY.confirm_order_reference(order, mws_auth_token="amzn.mws.none"), "AccessDenied")

    signer = PaymentRequest(params={}, config={
        "mws_access_key": SELLER["accessKey"], "mws_secret_key": SELLER["secretKey"],
        "merchant_id": SELLER["merchantId"], "handle_throttle": False,
        "api_version": PAY._api_version, "mws_endpoint": PAY._mws_endpoint,
        "headers": PAY._headers})
    signed = signer._querystring({"Action": "CloseOrderReference", "AmazonOrderReferenceId": order})
    mutated = signed.replace(b"Action=Close", b"Action=Cancel")
    assert mutated != signed
    answer = requests.post(PAY._mws_endpoint, data=mutated, headers=PAY._headers)
    assert answer.status_code == 403 and "SignatureDoesNotMatch" in answer.text, answer.text
    assert state(order_now(order), "OrderReferenceStatus")[0] == "Open"
    answer = requests.post(PAY._mws_endpoint, data=signed, headers=PAY._headers)
    assert answer.status_code == 200, answer.text


def agreements_and_their_charges():
    def agreement(**more):
        made = sim("POST", "/billing-agreements", {"merchantId": SELLER["merchantId"], **more})
        return made["amazonBillingAgreementId"], made["accessToken"]

    def shown(name, **more):
        got = good(PAY.get_billing_agreement_details(name, **more))
        return got["BillingAgreementDetails"]
    plan = ["approve", "InvalidPaymentMethod"]
    name, token = agreement(buyer=BUYER, plan=plan)
    draft = shown(name, address_consent_token=token)
    assert draft["BillingAgreementStatus"] == {"State": "Draft"}, draft
    assert draft["Buyer"]["Email"] == BUYER["email"], draft
    charged = good(PAY.charge(name, "19.95", "cycle-1", "note", charge_order_id="SUB-7"))
    first = charged["AuthorizationDetails"]
    assert state(first) == ("Closed", "MaxCapturesProcessed"), charged
    child = order_now(charged["AmazonOrderReferenceId"])
    assert child["ParentDetails"] == {"Type": "BillingAgreement", "Id": name}, child
    assert state(child, "OrderReferenceStatus") == ("Closed", "MaxAuthorizationsProcessed")
    limits = shown(name)["BillingAgreementLimits"]
    assert limits["CurrentRemainingBalance"]["Amount"] == "480.05", limits
    assert limits["AmountLimitPerTimePeriod"]["Amount"] == "500", limits
    bad(PAY.set_billing_agreement_details(name, seller_note="x"), "BillingAgreementNotModifiable")

    def cycle(reference_, amount="19.95"):
        return PAY.authorize_on_billing_agreement(
            name, reference_, amount, transaction_timeout=0, capture_now=True)
    bad(cycle("cycle-big", "480.06"), "PeriodicAmountExceeded")
    declined = good(cycle("cycle-2"))["AuthorizationDetails"]
    assert state(declined) == ("Declined", "InvalidPaymentMethod"), declined
    bad(cycle("cycle-3"), "InvalidBillingAgreementStatus")
    sim("POST", f"/objects/{name}/payment-method", {"valid": True})
    assert good(PAY.validate_billing_agreement(name))["ValidationResult"] == "Success"
    good(cycle("cycle-3"))
    kinds = [kind for kind, _ in moved(name)]
    assert kinds == ["authorize", "capture", "decline", "authorize", "capture"], kinds
    extra = good(PAY.create_order_reference_for_id(
        name, "BillingAgreement", inherit_shipping_address=True, confirm_now=True,
        order_total="5.00"))
    assert extra["OrderReferenceDetails"]["OrderReferenceStatus"]["State"] == "Open", extra
    good(PAY.close_billing_agreement(name, "goodbye"))
    assert state(shown(name), "BillingAgreementStatus") == ("Closed", "SellerClosed")
    bad(PAY.get_order_reference_details(name), "InvalidOrderReferenceId")
    bad(PAY.get_billing_agreement_details(child["AmazonOrderReferenceId"]),
        "InvalidBillingAgreementId")

    name, _ = agreement(consent=False)
    bad(PAY.confirm_billing_agreement(name), "BillingAgreementConstraintsExist")
    constraint = shown(name)["Constraints"]["Constraint"]["ConstraintID"]
    assert constraint == "BuyerConsentNotSet", constraint


def quotas_and_retries():
    order, _ = confirmed()
    sim("PUT", "/settings", {"quotas": True})
    answers = [PAY.confirm_order_reference(order) for _ in range(3)]
    assert [one.success for one in answers] == [True, True, False]
    error = bad(answers[2], "RequestThrottled")
    assert error["Type"] in (None, ""), error
    sim("PUT", "/settings", {})
    sim("PUT", "/faults", [{"match": {"operation": "ConfirmOrderReference"},
                            "fault": "status", "status": 503, "times": 1}])
    PAY.handle_throttle = True
    good(PAY.confirm_order_reference(order))
    PAY.handle_throttle = False
    counted = sim("GET", "/calls?merchantId=" + SELLER["merchantId"])
    assert counted["throttled"] == 1 and counted["calls"]["ConfirmOrderReference"] > 3, counted


def notifications_are_genuine():
    mailbox = notified.Mailbox()
    sim("POST", "/sellers", {"merchantId": SELLER["merchantId"], "ipnUrl": mailbox.url})
    order, _ = confirmed()
    authorization(PAY.authorize(order, "ipn-1", "106.00", transaction_timeout=0, capture_now=True))
    agreement = {"merchantId": SELLER["merchantId"], "consent": True}
    name = sim("POST", "/billing-agreements", agreement)["amazonBillingAgreementId"]
    good(PAY.confirm_billing_agreement(name))
    good(PAY.close_billing_agreement(name, "enough"))
    mailbox.of_types({"BillingAgreementNotification"}, about=name)
    sim("POST", f"/objects/{order}/dispute", {"amount": "6.00", "type": "chargeback"})
    types = {"OrderReferenceNotification", "PaymentAuthorize", "PaymentCapture", "PaymentRefund",
             "BillingAgreementNotification", "Chargeback Detailed Notification"}
    agreements = []
    for body, headers in mailbox.of_types(types):
        told = notified.handler(BASE, body, headers)
        assert told.authenticate() is True
        heard = told.to_json()
        assert heard, body
        if "BillingAgreementNotification" in heard:
            agreements.append(heard)
        elif "Chargeback" in heard:
            genuine = body, headers
    assert any(name in heard for heard in agreements), agreements
    body, headers = genuine
    forged = json.loads(body)
    assert "6.0" in forged["Message"], body
    forged["Message"] = forged["Message"].replace("6.0", "7.0")
    try:
        notified.handler(BASE, json.dumps(forged).encode(), headers).authenticate()
    except ValueError as refused:
        assert "signature" in str(refused), refused
    else:
        raise AssertionError("a forged notification was taken")
    sim("POST", "/sellers", {"merchantId": SELLER["merchantId"], "ipnUrl": ""})


STEPS = [
    the_sale_of_one_call_and_a_refund,
    a_capture_of_its_own_and_what_closes,
    an_asynchronous_authorization,
    declines_by_simulation_notes,
    the_sdk_s_own_charge_and_its_lists,
    status_and_profile,
    who_signs_wrongly_is_refused,
    agreements_and_their_charges,
    *after_sale.STEPS,
    notifications_are_genuine,
    quotas_and_retries,
]

if __name__ == "__main__":
    sim("POST", "/sellers", SELLER)
    PAY = client()
    after_sale.HERE = sys.modules[__name__]
    for step in STEPS:
        step()
        print("ok:", step.__name__, flush=True)
