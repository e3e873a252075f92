//! What a seller says of an order: set freely while it is a draft, only added to afterwards.

use super::Refusal;

/// What the seller says of an order; what is absent is not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) platform_id: Option<String>,
    pub(crate) seller_note: Option<String>,
    pub(crate) seller_order_id: Option<String>,
    pub(crate) store_name: Option<String>,
    pub(crate) custom_information: Option<String>,
    pub(crate) supplementary_data: Option<String>,
    pub(crate) request_payment_authorization: Option<String>,
    pub(crate) provider_id: Option<String>,
    pub(crate) provider_order_id: Option<String>,
    pub(crate) categories: Vec<String>,
}

impl Attributes {
    /// The field pairs of both, those that a confirmed order fixes first.
    fn paired<'a>(
        &'a mut self,
        new: &'a Attributes,
    ) -> [(&'a mut Option<String>, &'a Option<String>, bool); 9] {
        [
            (&mut self.platform_id, &new.platform_id, true),
            (&mut self.request_payment_authorization, &new.request_payment_authorization, true),
            (&mut self.seller_note, &new.seller_note, false),
            (&mut self.seller_order_id, &new.seller_order_id, false),
            (&mut self.store_name, &new.store_name, false),
            (&mut self.custom_information, &new.custom_information, false),
            (&mut self.supplementary_data, &new.supplementary_data, false),
            (&mut self.provider_id, &new.provider_id, false),
            (&mut self.provider_order_id, &new.provider_order_id, false),
        ]
    }

    pub(crate) fn overwrite(&mut self, new: &Attributes) {
        for (field, value, _) in self.paired(new) {
            if value.is_some() {
                field.clone_from(value);
            }
        }
        if !new.categories.is_empty() {
            self.categories.clone_from(&new.categories);
        }
    }

    /// After the purchase data may be added, but nothing that is there may be changed.
    pub(super) fn add(&mut self, new: &Attributes) -> Result<(), Refusal> {
        let mut added = self.clone();
        for (field, value, fixed) in added.paired(new) {
            match (field.is_some(), value) {
                (_, None) => {}
                (true, Some(_)) if *field == *value => {}
                (false, Some(_)) if !fixed => field.clone_from(value),
                _ => return Err(Refusal::NotModifiable),
            }
        }
        if !new.categories.is_empty() && new.categories != self.categories {
            return Err(Refusal::NotModifiable);
        }
        *self = added;
        Ok(())
    }
}
