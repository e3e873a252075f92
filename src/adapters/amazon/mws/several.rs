//! What takes several operations: searches for our own key, and a capture with its refunds. Each
//! ends with the first fault, because what was not read cannot be called absent.

use super::MwsGateway;
use super::client::Outcome;
use super::map::{self, Call};
use crate::domain::gateway::{Answer, Fault};
use crate::domain::ids::{AuthorizationId, CaptureId, OperationKey};
use crate::ports::gateway::Account;

/// Objects that are read one by one; Amazon allows fewer on one reference or capture.
const SEARCH_MAX: usize = 25;

fn unexpected(detail: &str) -> Fault {
    Fault::Unexpected { detail: detail.to_owned() }
}

/// Whether a listed object bears the key that is looked for. Whose it is must be told, or ours
/// cannot be called absent.
fn bears(shown: &str, key: &OperationKey) -> Result<bool, Fault> {
    if shown.is_empty() {
        Err(unexpected("an object that bears no key"))
    } else {
        Ok(shown == key.as_str())
    }
}

impl MwsGateway {
    /// Bounds what takes several operations as one call is bounded.
    pub(super) async fn timed<F>(&self, asked: F) -> Outcome<Answer>
    where
        F: Future<Output = Outcome<Answer>>,
    {
        let timed = tokio::time::timeout(self.timeout, asked).await;
        timed.unwrap_or((Err(Fault::Unknown), None))
    }

    /// Newest first: what is looked for is as a rule the last one made.
    pub(super) async fn find_authorization(
        &self,
        account: &Account,
        ids: &[AuthorizationId],
        key: &OperationKey,
    ) -> Outcome<Answer> {
        let calls = ids.iter().map(Call::read_authorization).collect();
        self.find(account, calls, key).await
    }

    /// The same among the captures of an authorization.
    pub(super) async fn find_capture(
        &self,
        account: &Account,
        ids: &[CaptureId],
        key: &OperationKey,
    ) -> Outcome<Answer> {
        let calls = ids.iter().map(Call::read_capture).collect();
        self.find(account, calls, key).await
    }

    async fn find(
        &self,
        account: &Account,
        calls: Vec<Call<'_>>,
        key: &OperationKey,
    ) -> Outcome<Answer> {
        if calls.len() > SEARCH_MAX {
            return (Err(unexpected("more objects to look through than Amazon allows")), None);
        }
        let mut request_id = None;
        for call in calls.into_iter().rev() {
            let (result, read) = self.one(account, call).await;
            request_id = read.or(request_id);
            let answer = match result {
                Ok(answer) => answer,
                Err(fault) => return (Err(fault), request_id),
            };
            let shown = match &answer {
                Answer::Authorization(view) => view.key.as_str(),
                Answer::Capture(view) => view.key.as_str(),
                _ => "",
            };
            match bears(shown, key) {
                Ok(true) => return (Ok(answer), request_id),
                Ok(false) => {}
                Err(fault) => return (Err(fault), request_id),
            }
        }
        (Ok(Answer::NotFound), request_id)
    }

    /// The capture, then each refund that it lists, whoever made it.
    pub(super) async fn read_refunds(
        &self,
        account: &Account,
        capture: &CaptureId,
    ) -> Outcome<Answer> {
        let call = Call::read_capture(capture);
        let read = |root: super::wire::Element<'_>| {
            let answer = map::answer(map::Kind::Capture, root)?;
            match answer {
                Answer::Capture(view) if view.id == *capture => Ok((view, map::refunds_of(root)?)),
                _ => Err("another object"),
            }
        };
        let (listed, mut request_id) = self.client.exchange(account, call, read).await;
        let (view, ids) = match listed {
            Ok(listed) => listed,
            Err(fault) => return (Err(fault), request_id),
        };
        if ids.len() > SEARCH_MAX {
            return (Err(unexpected("more refunds on a capture than Amazon allows")), request_id);
        }
        let mut refunds = Vec::with_capacity(ids.len());
        for id in &ids {
            let (result, read) = self.one(account, Call::read_refund(id)).await;
            request_id = read.or(request_id);
            match result {
                Ok(Answer::Refund(refund)) => refunds.push(refund),
                Ok(_) => return (Err(unexpected("no refund where one was listed")), request_id),
                Err(fault) => return (Err(fault), request_id),
            }
        }
        (Ok(Answer::Refunds(view, refunds)), request_id)
    }
}
