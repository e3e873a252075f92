//! What is due, without the rows that cannot be read: one that a newer version wrote, or a person
//! by hand, is the oldest that is due for ever, and must not hide all others behind it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sea_orm::{FromQueryResult, ModelTrait, Value};

use super::entity::{mandate, outbox, payment};
use super::{Database, wire};
use crate::domain::mandate::Mandate;
use crate::domain::payment::Payment;
use crate::ports::relay::OutboxRow;
use crate::ports::store::StoreError;
use crate::telemetry::{Metrics, fields};

/// Looks past rows that cannot be read, in one call.
const LOOKS_MAX: usize = 16;
/// Rows that are remembered as told of; then all of them are told of again.
const TOLD_MAX: usize = 1_000;

/// A row of which there may be many due.
pub(super) trait Due: ModelTrait + FromQueryResult {
    /// What lies in it.
    type Read;
    const TABLE: &'static str;

    /// Itself, or all that must not be read before it.
    fn group(&self) -> String;

    fn read_due(self) -> Result<Self::Read, StoreError>;
}

impl Due for payment::Model {
    type Read = Payment;
    const TABLE: &'static str = "payments";

    fn group(&self) -> String {
        self.id.clone()
    }

    fn read_due(self) -> Result<Payment, StoreError> {
        self.payment()
    }
}

impl Due for mandate::Model {
    type Read = Mandate;
    const TABLE: &'static str = "mandates";

    fn group(&self) -> String {
        self.id.clone()
    }

    fn read_due(self) -> Result<Mandate, StoreError> {
        self.mandate()
    }
}

impl Due for outbox::Model {
    type Read = OutboxRow;
    const TABLE: &'static str = "outbox";

    /// Events of one subject are published in order.
    fn group(&self) -> String {
        self.subject.clone()
    }

    fn read_due(self) -> Result<OutboxRow, StoreError> {
        self.row()
    }
}

/// The rows that could not be read, each told of once.
#[derive(Default)]
pub(super) struct Unreadable {
    metrics: OnceLock<Arc<Metrics>>,
    told: Mutex<HashSet<String>>,
}

impl Unreadable {
    fn tell(&self, table: &'static str, error: &StoreError) {
        // It names row and column, and nothing that lies in them.
        let text = error.to_string();
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() >= TOLD_MAX {
                told.clear();
            }
            if !told.insert(text.clone()) {
                return;
            }
        }
        tracing::error!({ fields::ERROR } = text, "left alone by this worker: {text}");
        if let Some(metrics) = self.metrics.get() {
            metrics.unreadable(table);
        }
    }
}

impl Database {
    /// Where rows that cannot be read are counted; the first that is given stays.
    pub fn count_by(&self, metrics: &Arc<Metrics>) {
        self.unreadable.metrics.get_or_init(|| Arc::clone(metrics));
    }

    /// Those of a few rows that can be read.
    pub(super) fn those_readable<M: Due>(&self, found: Vec<M>) -> Vec<M::Read> {
        let read = found.into_iter().map(M::read_due);
        read.filter_map(|one| one.inspect_err(|error| self.unreadable.tell(M::TABLE, error)).ok())
            .collect()
    }

    /// At most `limit` of what `text` asks for, from its `FROM` on. Its last two parameters are
    /// the limit, and groups that are left out, as a JSON array.
    pub(super) async fn readable<M: Due>(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
        limit: u32,
    ) -> Result<Vec<M::Read>, StoreError> {
        let values: Vec<Value> = values.into_iter().chain([i64::from(limit).into()]).collect();
        let mut left_out: Vec<String> = Vec::new();
        let mut read = Vec::new();
        for _ in 0..LOOKS_MAX {
            let before = left_out.len();
            let except = wire::texts(left_out.iter().map(String::as_str));
            let all = values.iter().cloned().chain([except.into()]);
            let found: Vec<M> = self.models(text, all).await?;
            let full = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
            read.clear();
            for model in found {
                let group = model.group();
                if left_out.contains(&group) {
                    continue;
                }
                match model.read_due() {
                    Ok(one) => read.push(one),
                    Err(error) => {
                        self.unreadable.tell(M::TABLE, &error);
                        left_out.push(group);
                    }
                }
            }
            // A page with room left over hides nothing.
            if left_out.len() == before || !full {
                break;
            }
        }
        Ok(read)
    }
}
