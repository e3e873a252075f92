//! `ports::notifications`: notifications until they are heeded, and the payments that they concern.

use async_trait::async_trait;

use super::Database;
use super::entity::{notification, payment};
use crate::domain::notification::{About, Notification};
use crate::domain::payment::Payment;
use crate::ports::notifications::{ConcernQuery, Heeded, Kept, Notifications};
use crate::ports::retention::Retention;
use crate::ports::store::StoreError;

const KEEP: &str = "INSERT INTO notifications (message_id, seller_id, sandbox, about, object_id, \
                    reference, received_at, due_at, attempts) \
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) ON CONFLICT (message_id) DO NOTHING";
const KEPT: &str = "FROM notifications WHERE message_id = $1 AND due_at IS NOT NULL";
const UNHEEDED: &str = "FROM notifications WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
const HEEDED: &str = "UPDATE notifications SET due_at = NULL, heeded_at = $2, outcome = $3 \
                      WHERE message_id = $1";
const AGAIN: &str = "UPDATE notifications SET due_at = $2, attempts = attempts + 1 \
                     WHERE message_id = $1 AND due_at IS NOT NULL";
/// Both halves have an index of their own, and few rows for one consent.
const CONCERNED: &str = "FROM payments WHERE id IN \
                         (SELECT id FROM payments \
                         WHERE COALESCE(permission, reference) = $1 AND owns_reference \
                         UNION SELECT id FROM payments \
                         WHERE substr(authorization_id, 1, 19) = $1) \
                         ORDER BY created_at DESC LIMIT $2";
const FORGET: &str = "DELETE FROM notifications WHERE message_id IN (SELECT message_id \
                      FROM notifications WHERE received_at < $1 ORDER BY received_at LIMIT $2)";
const FORGET_MESSAGES: &str = "DELETE FROM inbox WHERE message_id IN (SELECT message_id \
                               FROM inbox WHERE at < $1 ORDER BY at LIMIT $2)";

impl notification::Model {
    fn kept(self) -> Kept {
        Kept {
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            received_at: self.received_at,
            notification: Notification {
                message_id: self.message_id,
                seller_id: self.seller_id,
                sandbox: self.sandbox,
                // A word of a later version: nothing that this one knows depends on it.
                about: About::parse(&self.about).unwrap_or(About::Other),
                object_id: self.object_id,
                reference: self.reference,
            },
        }
    }
}

#[async_trait]
impl Notifications for Database {
    async fn keep(
        &self,
        notification: &Notification,
        now: i64,
        due_at: i64,
    ) -> Result<bool, StoreError> {
        let Notification { message_id, seller_id, sandbox, about, object_id, reference } =
            notification.clone();
        let values = [
            message_id.into(),
            seller_id.into(),
            sandbox.into(),
            about.as_str().into(),
            object_id.into(),
            reference.into(),
            now.into(),
            due_at.into(),
        ];
        Ok(self.execute(KEEP, values).await? > 0)
    }

    async fn kept(&self, message_id: &str) -> Result<Option<Kept>, StoreError> {
        let found: Vec<notification::Model> = self.models(KEPT, [message_id.into()]).await?;
        Ok(found.into_iter().next().map(notification::Model::kept))
    }

    async fn unheeded(&self, now: i64, limit: u32) -> Result<Vec<Kept>, StoreError> {
        let values = [now.into(), i64::from(limit).into()];
        let found: Vec<notification::Model> = self.models(UNHEEDED, values).await?;
        Ok(found.into_iter().map(notification::Model::kept).collect())
    }

    async fn heeded(&self, message_id: &str, what: Heeded, now: i64) -> Result<(), StoreError> {
        match what {
            Heeded::Done { outcome } => {
                self.execute(HEEDED, [message_id.into(), now.into(), outcome.into()]).await
            }
            Heeded::Again(at) => self.execute(AGAIN, [message_id.into(), at.into()]).await,
        }
        .map(drop)
    }

    async fn concerned(&self, query: &ConcernQuery) -> Result<Vec<Payment>, StoreError> {
        let values = [query.reference.as_str().into(), i64::from(query.limit).into()];
        let found: Vec<payment::Model> = self.models(CONCERNED, values).await?;
        Ok(self.those_readable(found))
    }
}

#[async_trait]
impl Retention for Database {
    async fn forget_messages(&self, before: i64, limit: u32) -> Result<u64, StoreError> {
        self.execute(FORGET_MESSAGES, [before.into(), i64::from(limit).into()]).await
    }

    async fn forget_notifications(&self, before: i64, limit: u32) -> Result<u64, StoreError> {
        self.execute(FORGET, [before.into(), i64::from(limit).into()]).await
    }
}
