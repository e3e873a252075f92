//! The TCP connection under one HTTP conversation. The HTTP library itself answers a head that is
//! too long for it, with a status and nothing else; here that becomes the contract's 413.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::paths;
use super::refusal::Refusal;

/// Enough of a request's first line to know its path.
const BEGINNING: usize = 128;

/// A TCP stream that mends the library's own answers to heads that are too long.
pub(super) struct Line {
    stream: TcpStream,
    /// How the latest request begins.
    beginning: Vec<u8>,
    /// An answer was written since: the next bytes begin a request.
    answered: bool,
    /// What is written in place of the library's answer, and how much of it is.
    instead: Option<(Vec<u8>, usize)>,
}

impl Line {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, beginning: Vec::new(), answered: true, instead: None }
    }

    /// The path of the latest request, as far as it was kept.
    fn path(&self) -> String {
        let text = String::from_utf8_lossy(&self.beginning);
        let target = text.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default().to_owned()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let new = &buffer.filled()[before..];
        if self.answered && !new.is_empty() {
            self.answered = false;
            self.beginning = new[..new.len().min(BEGINNING)].to_vec();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.answered = true;
        if this.instead.is_none()
            && let Some(what) = too_long(bytes)
        {
            this.instead = Some((answer(what, paths::is_crm(&this.path())), 0));
        }
        while let Some((instead, written)) = &mut this.instead {
            if *written == instead.len() {
                this.instead = None;
                return Poll::Ready(Ok(bytes.len()));
            }
            let stream = Pin::new(&mut this.stream);
            match ready!(stream.poll_write(context, &instead[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What the library found too long; no handler of ours answers with these.
fn too_long(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"HTTP/1.1 414 ") {
        Some("query")
    } else if bytes.starts_with(b"HTTP/1.1 431 ") {
        Some("head of the request")
    } else {
        None
    }
}

fn answer(what: &'static str, crm: bool) -> Vec<u8> {
    let refusal = Refusal::TooLarge(what);
    let (media, body) = if crm {
        ("application/json", refusal.envelope_body())
    } else {
        ("application/problem+json", refusal.problem_body())
    };
    let length = body.len();
    format!(
        "HTTP/1.1 413 Payload Too Large\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}
