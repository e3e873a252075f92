//! What Amazon tells sellers of by itself: every object that turned, in order, for whoever words
//! and sends it.

use super::{Books, Object, RefundAt};

/// Untold news at once; nobody is told of what is older.
const UNTOLD_MAX: usize = 100_000;

/// Something that a seller is notified of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// An object is in another state, or a capture was given back.
    Turned(Object),
    /// The buyer's bank, or Amazon, took the money back.
    Disputed(RefundAt),
}

impl Books {
    pub(super) fn announce(&mut self, news: News) {
        if self.news.len() >= UNTOLD_MAX {
            self.news.pop_front();
        }
        self.news.push_back(news);
    }

    /// All news since the last time.
    pub(crate) fn take_news(&mut self) -> Vec<News> {
        self.news.drain(..).collect()
    }
}
