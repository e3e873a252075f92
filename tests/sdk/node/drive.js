'use strict';
// Drives the simulator by Amazon's official Node SDK, unmodified but for the address.
//
//     node drive.js 127.0.0.1:PORT
//
// Every step asserts what Amazon answers; the first that is wrong ends the script with a trace.
const assert = require('assert');
const crypto = require('crypto');
const http = require('http');
const https = require('https');
const { WebStoreClient } = require('@amazonpay/amazon-pay-api-sdk-nodejs');

const ADDRESS = process.argv[2];
const STORE = 'amzn1.application-oa2-client.0123456789abcdef';
const pair = crypto.generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

function sim(method, path, body) {
  const [host, port] = ADDRESS.split(':');
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: '/_sim' + path }, (answer) => {
      let text = '';
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => {
        assert(answer.statusCode < 300, `${path}: ${answer.statusCode} ${text}`);
        resolve(JSON.parse(text));
      });
    });
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

// The SDK as its users make it; only the address is another.
function client(changed) {
  return new WebStoreClient({
    publicKeyId: 'SANDBOX-AFVX7M3QHWTZ2N5RKDPC4GYL',
    privateKey: pair.privateKey,
    region: 'us',
    sandbox: true,
    algorithm: 'AMZN-PAY-RSASSA-PSS-V2',
    overrideServiceUrl: ADDRESS,
    ...changed,
  });
}

const PAY = client();
let keys = 0;
const key = () => ({ 'x-amz-pay-idempotency-key': `node-${keys += 1}` });
const usd = (amount) => ({ amount, currencyCode: 'USD' });

async function good(promise, status = 200) {
  const answer = await promise;
  assert.strictEqual(answer.status, status, JSON.stringify(answer.data));
  assert(answer.headers['x-amz-pay-request-id']);
  return answer.data;
}

async function bad(promise, status, code) {
  const answer = await promise.then((said) => said, (error) => error.response);
  assert(answer, 'no answer');
  const said = `${answer.status} ${JSON.stringify(answer.data)}`;
  assert.strictEqual(answer.status, status, said);
  assert.strictEqual(answer.data.reasonCode, code, said);
  assert(answer.data.message);
}

async function moved(id) {
  const { entries } = await sim('GET', `/ledger?objectId=${id}`);
  return entries.map((entry) => `${entry.kind} ${entry.amount}`);
}

async function session(details, more = {}, by = PAY) {
  const body = {
    webCheckoutDetails: { checkoutReviewReturnUrl: 'https://shop.example/review' },
    storeId: STORE,
    paymentDetails: { chargeAmount: usd('106.00'), ...details },
    merchantMetadata: { merchantReferenceId: 'CRM-1001', merchantStoreName: 'Müller 東京' },
    ...more,
  };
  return (await good(by.createCheckoutSession(body, key()), 201)).checkoutSessionId;
}

async function approved(details, plan, more) {
  const id = await session(details, more);
  const buyer = { name: 'Grüße Ünal', email: 'buyer@example.com' };
  await sim('POST', `/checkout-sessions/${id}/approve`, { buyer, plan });
  return id;
}

const complete = (id, amount = '106.00', headers) =>
  PAY.completeCheckoutSession(id, { chargeAmount: usd(amount) }, headers);
const state = (object) => [object.statusDetails.state, object.statusDetails.reasonCode];
const charge = async (id) => (await good(PAY.getCharge(id)));
const permission = async (id) => (await good(PAY.getChargePermission(id)));
const wait = (seconds) => sim('POST', '/clock', { advanceSeconds: seconds });

const steps = {
  async a_checkout_that_is_paid_and_refunded() {
    const id = await session({});
    await bad(complete(id), 422, 'InvalidCheckoutSessionStatus');
    const changed = { paymentDetails: { paymentIntent: 'AuthorizeWithCapture' } };
    const updated = await good(PAY.updateCheckoutSession(id, changed));
    assert.strictEqual(updated.paymentDetails.chargeAmount.amount, '106.00');
    assert.deepStrictEqual(updated.constraints.map((of) => of.constraintId), ['BuyerNotAssociated']);
    await sim('POST', `/checkout-sessions/${id}/approve`, { buyer: { name: 'Grüße Ünal' } });
    const open = await good(PAY.getCheckoutSession(id));
    assert.deepStrictEqual(state(open), ['Open', null]);
    assert.strictEqual(open.buyer.name, 'Grüße Ünal');
    // The SDK takes the list apart.
    assert.strictEqual(open.shippingAddressList[0].postalCode, open.shippingAddress.postalCode);
    await bad(complete(id, '105.99'), 409, 'AmountMismatch');
    const done = await good(complete(id));
    assert.deepStrictEqual(state(done), ['Completed', null]);
    assert.match(done.chargePermissionId, /^S01-\d{7}-\d{7}$/);
    assert.match(done.chargeId, /^S01-\d{7}-\d{7}-C\d{6}$/);
    assert.strictEqual(done.buyer, null);
    await bad(complete(id), 422, 'InvalidCheckoutSessionStatus');

    const sold = await charge(done.chargeId);
    assert.deepStrictEqual(state(sold), ['Captured', null]);
    assert.strictEqual(sold.captureAmount.amount, '106.00');
    const closed = await permission(done.chargePermissionId);
    assert.strictEqual(closed.statusDetails.state, 'Closed');
    assert.strictEqual(closed.statusDetails.reasons[0].reasonCode, 'AmazonClosed');
    assert.strictEqual(closed.buyer.name, 'Grüße Ünal');
    assert.strictEqual(closed.merchantMetadata.merchantStoreName, 'Müller 東京');
    assert.strictEqual(closed.limits.amountBalance.amount, '0.00');

    const ask = { chargeId: done.chargeId, refundAmount: usd('10.00') };
    const begun = await good(PAY.createRefund(ask, key()), 201);
    assert.deepStrictEqual(state(begun), ['RefundInitiated', null]);
    await wait(31);
    const refunded = await good(PAY.getRefund(begun.refundId));
    assert.deepStrictEqual(state(refunded), ['Refunded', null]);
    assert.strictEqual((await charge(done.chargeId)).refundedAmount.amount, '10.00');
    const expected = ['authorize 106.00', 'capture 106.00', 'refund 10.00'];
    assert.deepStrictEqual(await moved(done.chargePermissionId), expected);
    assert.deepStrictEqual(await moved(id), expected);
  },

  async charges_that_are_captured_or_canceled_later() {
    const id = await approved({ paymentIntent: 'Authorize' });
    const { chargeId, chargePermissionId } = await good(complete(id));
    assert.deepStrictEqual(state(await charge(chargeId)), ['Authorized', null]);
    await bad(
      PAY.createRefund({ chargeId, refundAmount: usd('1.00') }, key()), 422, 'InvalidChargeStatus');
    const part = await good(PAY.captureCharge(chargeId, { captureAmount: usd('60.00') }, key()));
    assert.deepStrictEqual(state(part), ['Captured', null]);
    assert.strictEqual(part.chargeId, chargeId);
    await bad(
      PAY.captureCharge(chargeId, { captureAmount: usd('1.00') }, key()), 422,
      'InvalidChargeStatus');

    // The rest of the order is charged apart, and no more than the rest.
    const ask = (amount) => ({ chargePermissionId, chargeAmount: usd(amount), captureNow: true });
    await bad(PAY.createCharge(ask('46.01'), key()), 400, 'TransactionAmountExceeded');
    const spare = await good(
      PAY.createCharge({ chargePermissionId, chargeAmount: usd('5.00') }, key()), 201);
    const canceled = await good(PAY.cancelCharge(spare.chargeId, { cancellationReason: 'no' }));
    assert.deepStrictEqual(state(canceled), ['Canceled', 'MerchantCanceled']);
    await bad(
      PAY.cancelCharge(spare.chargeId, { cancellationReason: 'no' }), 422, 'InvalidChargeStatus');
    const rest = await good(PAY.createCharge(ask('46.00'), key()), 201);
    assert.deepStrictEqual(state(rest), ['Captured', null]);
    assert.strictEqual((await permission(chargePermissionId)).statusDetails.state, 'Closed');
    await bad(PAY.createCharge(ask('1.00'), key()), 422, 'InvalidChargePermissionStatus');
  },

  async what_is_pending_first() {
    const details = { paymentIntent: 'AuthorizeWithCapture', canHandlePendingAuthorization: true };
    const id = await approved(details, [{ outcome: 'approve', afterSeconds: 20 }]);
    const { chargeId } = await good(complete(id), 202);
    assert.deepStrictEqual(state(await charge(chargeId)), ['AuthorizationInitiated', null]);
    await wait(21);
    assert.deepStrictEqual(state(await charge(chargeId)), ['Captured', null]);

    const declined = await approved(details, [{ outcome: 'InvalidPaymentMethod', afterSeconds: 5 }]);
    const later = await good(complete(declined), 202);
    await wait(6);
    assert.deepStrictEqual(state(await charge(later.chargeId)), ['Declined', 'HardDeclined']);
    const { statusDetails } = await permission(later.chargePermissionId);
    assert.strictEqual(statusDetails.state, 'NonChargeable');
    assert.strictEqual(statusDetails.reasons[0].reasonCode, 'PaymentMethodInvalid');
    const ask = { chargePermissionId: later.chargePermissionId, chargeAmount: usd('106.00') };
    await bad(PAY.createCharge(ask, key()), 422, 'InvalidChargePermissionStatus');
    await sim('POST', `/objects/${later.chargePermissionId}/payment-method`, { valid: true });
    await good(PAY.createCharge(ask, key()), 201);
  },

  async declines() {
    for (const [plan, reason] of [
      ['InvalidPaymentMethod', 'Declined'], ['AmazonRejected', 'AmazonCanceled']]) {
      const id = await approved({ paymentIntent: 'AuthorizeWithCapture' }, [plan]);
      await bad(complete(id), 422, 'CheckoutSessionCanceled');
      assert.deepStrictEqual(state(await good(PAY.getCheckoutSession(id))), ['Canceled', reason]);
    }
    const again = await approved({ paymentIntent: 'AuthorizeWithCapture' }, ['ProcessingFailure']);
    await bad(complete(again), 500, 'ProcessingFailure');
    await good(complete(again));

    const code = (word) => ({ ...key(), 'x-amz-pay-simulation-code': word });
    const canceled = await approved({ paymentIntent: 'Authorize' });
    await bad(complete(canceled, '106.00', code('BuyerCanceled')), 422, 'CheckoutSessionCanceled');
    const id = await approved({ paymentIntent: 'Confirm' });
    const { chargePermissionId, chargeId } = await good(complete(id));
    assert.strictEqual(chargeId, null);
    const ask = { chargePermissionId, chargeAmount: usd('1.00') };
    await bad(PAY.createCharge(ask, code('SoftDeclined')), 422, 'SoftDeclined');
    await bad(PAY.createCharge(ask, code('Tantrum')), 400, 'InvalidSandboxSimulationSpecified');
    await bad(PAY.createCharge(ask, code('HardDeclined')), 422, 'HardDeclined');
    assert.strictEqual(
      (await permission(chargePermissionId)).statusDetails.state, 'NonChargeable');
  },

  async a_subscription_and_its_months() {
    const recurring = { frequency: { unit: 'Month', value: '1' }, amount: usd('19.95') };
    const more = { chargePermissionType: 'Recurring', recurringMetadata: recurring };
    const id = await approved({ paymentIntent: 'AuthorizeWithCapture' }, ['approve'], more);
    const { chargePermissionId, chargeId } = await good(complete(id));
    assert.match(chargePermissionId, /^C01-/);
    assert(chargeId.startsWith(`${chargePermissionId}-C`), chargeId);
    const open = await permission(chargePermissionId);
    assert.strictEqual(open.chargePermissionType, 'Recurring');
    assert.deepStrictEqual(open.recurringMetadata, recurring);
    assert.strictEqual(open.limits.amountLimit.amount, '1000.00');
    assert.strictEqual(open.limits.amountBalance.amount, '894.00');
    const ask = (amount) => ({
      chargePermissionId, chargeAmount: usd(amount), captureNow: true,
      merchantMetadata: { merchantReferenceId: 'sub-7-2' },
    });
    await bad(PAY.createCharge(ask('894.01'), key()), 400, 'PeriodicAmountExceeded');
    const headers = key();
    const second = await good(PAY.createCharge(ask('19.95'), headers), 201);
    const repeated = await good(PAY.createCharge(ask('19.95'), headers), 201);
    assert.deepStrictEqual(repeated, second);
    await bad(PAY.createCharge(ask('19.96'), headers), 400, 'DuplicateIdempotencyKey');
    const { entries } = await sim('GET', `/ledger?objectId=${chargePermissionId}`);
    const last = entries[entries.length - 1];
    assert.strictEqual(last.sellerOrderId, 'sub-7-2');
    assert.strictEqual(last.referenceId, headers['x-amz-pay-idempotency-key']);
    assert.strictEqual(entries.length, 4);

    const metadata = { merchantMetadata: { noteToBuyer: 'hello' } };
    const updated = await good(PAY.updateChargePermission(chargePermissionId, metadata));
    assert.strictEqual(updated.merchantMetadata.noteToBuyer, 'hello');
    const why = { closureReason: 'goodbye', cancelPendingCharges: true };
    const closed = await good(PAY.closeChargePermission(chargePermissionId, why));
    assert.strictEqual(closed.statusDetails.reasons[0].reasonCode, 'MerchantClosed');
    await bad(
      PAY.updateChargePermission(chargePermissionId, metadata), 422,
      'ChargePermissionNotModifiable');
    await bad(PAY.createCharge(ask('1.00'), key()), 422, 'InvalidChargePermissionStatus');
  },

  async who_signs_wrongly_is_refused() {
    const id = await session({});
    const get = (changed) => client(changed).getCheckoutSession(id);
    const older = { algorithm: 'AMZN-PAY-RSASSA-PSS' };
    assert.deepStrictEqual(state(await good(get(older))), ['Open', null]);
    const other = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    const privateKey = other.privateKey.export({ type: 'pkcs1', format: 'pem' });
    await bad(get({ privateKey }), 403, 'InvalidRequestSignature');
    await bad(get({ ...older, privateKey }), 403, 'InvalidRequestSignature');
    await bad(get({ publicKeyId: 'SANDBOX-NOBODY' }), 403, 'InvalidAuthentication');
    await bad(get({ publicKeyId: 'LIVE-NOBODY' }), 403, 'InvalidAuthentication');
    await bad(get({ region: 'eu' }), 400, 'InvalidHeaderValue');
    await bad(PAY.getCheckoutSession('nobody'), 404, 'ResourceNotFound');
    await bad(
      PAY.createCheckoutSession({ storeID: STORE }, key()), 400, 'UnrecognizedField');
    await bad(PAY.createCheckoutSession({ storeId: STORE }, {}), 400, 'MissingHeaderValue');
  },

  // A signed request is sent as it is, then with one thing changed at a time.
  async a_mutated_request_is_refused() {
    const send = (headers, body, path = '/v2/charges') => new Promise((resolve) => {
      const [host, port] = ADDRESS.split(':');
      const request = https.request(
        { host, port, method: 'POST', path, headers, rejectUnauthorized: false },
        (answer) => { answer.resume(); resolve(answer.statusCode); });
      request.end(body);
    });
    for (const algorithm of ['AMZN-PAY-RSASSA-PSS', 'AMZN-PAY-RSASSA-PSS-V2']) {
      const id = await approved({ paymentIntent: 'Confirm' });
      const { chargePermissionId } = await good(complete(id));
      const payload = JSON.stringify({ chargePermissionId, chargeAmount: usd('1.00') });
      const signed = client({ algorithm }).getSignedHeaders(
        { method: 'POST', urlFragment: 'charges', payload, headers: key() });
      const unsigned = signed.authorization.replace('x-amz-pay-idempotency-key;', '');
      const swapped = signed.authorization.replace(/^\S+/, (name) =>
        (name.endsWith('V2') ? 'AMZN-PAY-RSASSA-PSS' : 'AMZN-PAY-RSASSA-PSS-V2'));
      for (const [headers, body, path] of [
        [signed, payload.replace('1.00', '9.00')],
        [signed, `${payload} `],
        [signed, payload, '/v2/charges?a=b'],
        [{ ...signed, 'x-amz-pay-idempotency-key': 'another' }, payload],
        [{ ...signed, authorization: unsigned }, payload],
        [{ ...signed, authorization: swapped }, payload],
      ]) {
        assert.strictEqual(await send(headers, body, path), 403);
      }
      assert.deepStrictEqual(await moved(chargePermissionId), []);
      assert.strictEqual(await send(signed, payload), 201);
      assert.deepStrictEqual(await moved(chargePermissionId), ['authorize 1.00']);
    }
  },

  async buyers_and_parcels() {
    const made = await sim('POST', '/order-references', { merchantId: 'A2SIMNODE0001' });
    assert.strictEqual((await good(PAY.getBuyer(encodeURIComponent(made.accessToken)))).email, 'buyer@example.com');
    const amazonOrderReferenceId = made.amazonOrderReferenceId;
    const deliveryDetails = [{ trackingNumber: '1Z999', carrierCode: 'UPS' }];
    const parcel = await good(PAY.deliveryTrackers({ amazonOrderReferenceId, deliveryDetails }));
    assert.deepStrictEqual(parcel.deliveryDetails, deliveryDetails);
  },

  async quotas() {
    const id = await session({});
    await sim('PUT', '/settings', { quotas: true });
    const answers = await Promise.all(
      Array.from({ length: 25 }, () => PAY.getCheckoutSession(id).then(
        () => 200, (error) => error.response.status)));
    await sim('PUT', '/settings', {});
    assert(answers.includes(429) && answers.includes(200), answers.join());
    const { calls, throttled } = await sim('GET', '/calls?merchantId=A2SIMNODE0001');
    assert(throttled > 0 && calls.GetCheckoutSession >= 25, JSON.stringify(calls));
  },
};

(async () => {
  await sim('POST', '/sellers', {
    merchantId: 'A2SIMNODE0001',
    publicKeyId: 'SANDBOX-AFVX7M3QHWTZ2N5RKDPC4GYL',
    publicKey: pair.publicKey,
    storeId: STORE,
  });
  for (const [name, step] of Object.entries(steps)) {
    await step();
    console.log(`ok: ${name}`);
  }
})().catch((error) => {
  console.error(error.stack, error.response && error.response.data);
  process.exit(1);
});
