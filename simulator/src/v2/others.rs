//! What stands beside the payments: who a buyer is, and where a parcel is.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::body::Reader;
use super::errors::Error;
use super::{Call, objects, render};
use crate::World;
use crate::books::SellerAt;

/// `GET buyers/{token}`: the token of whoever signed in on the merchant's page.
pub(super) fn buyer(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let books = &world.books;
    let text = percent_decode_str(call.id).decode_utf8_lossy();
    let token = books.token(&text).filter(|token| token.seller == call.seller);
    let token = token.ok_or_else(Error::unknown)?;
    let mut shown = render::buyer(&token.buyer);
    let address = token.buyer.address.as_ref();
    shown["postalCode"] = json!(address.and_then(|address| address.postal_code.as_ref()));
    shown["countryCode"] = json!(address.and_then(|address| address.country_code.as_ref()));
    shown["shippingAddress"] = json!(address.map(render::address));
    shown["billingAddress"] = json!(address.map(render::address));
    Ok((200, shown))
}

/// `GET authorizationTokens/{mwsAuthToken}?merchantId=`: whoever has a seller's MWS token may act
/// for him by this API, too.
pub(super) fn authorization_token(
    world: &mut World,
    call: &Call<'_>,
) -> Result<(u16, Value), Error> {
    let shown = percent_decode_str(call.id).decode_utf8_lossy();
    let mut asked = form_urlencoded::parse(call.query.as_bytes());
    let merchant = asked.find(|(name, _)| name == "merchantId").map(|(_, value)| value);
    let Some(merchant) = merchant else {
        return Err(Error::new(400, "MissingParameterValue", "The request lacks: merchantId."));
    };
    let books = &mut world.books;
    let delegates = |at: &SellerAt| books[*at].mws_auth_token.as_deref() == Some(&*shown);
    let Some(seller) = books.seller(&merchant).filter(delegates) else {
        return Err(Error::invalid("mwsAuthToken"));
    };
    let token = format!("eyJ.simulated.{}", books.ids.uuid());
    world.v2.doors.let_act(call.seller, seller, token.clone());
    Ok((200, json!({ "authorizationToken": token })))
}

/// `POST deliveryTrackers`: an order reference and a permission are named alike.
pub(super) fn tracker(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let mut reader = Reader::new(call.body)?;
    let reference = reader.text("amazonOrderReferenceId", 127);
    let permission = reader.text("chargePermissionId", 127);
    let details = reader.any("deliveryDetails").and_then(Value::as_array);
    reader.finish()?;
    let (Some(id), Some(details)) = (reference.or(permission), details) else {
        let message = "The request lacks: chargePermissionId or deliveryDetails.";
        return Err(Error::new(400, "MissingParameterValue", message));
    };
    let is_one =
        |parcel: &Value| parcel["trackingNumber"].is_string() && parcel["carrierCode"].is_string();
    if details.is_empty() || !details.iter().all(is_one) {
        return Err(Error::invalid("deliveryDetails: trackingNumber and carrierCode"));
    }
    objects::permission(&mut world.books, call, id)?;
    Ok((200, call.body.clone()))
}
