//! The TCP connection under one HTTP conversation, which a fault can cut: reset it, close it, or
//! close it in the middle of an answer. Nothing above can do that, because HTTP never shows it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::secure::Stream;

const WHOLE: usize = 0;
const CLOSED: usize = 1;
const RESET: usize = 2;
/// From here on: how much of a body goes through, plus this.
const HALF: usize = 3;

/// The handle that a request carries to its own connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(Arc<AtomicUsize>);

impl Line {
    /// Instead of the next answer the connection is closed.
    pub(crate) fn close(&self) {
        self.0.store(CLOSED, Ordering::Relaxed);
    }

    /// Instead of the next answer the connection is reset.
    pub(crate) fn reset(&self) {
        self.0.store(RESET, Ordering::Relaxed);
    }

    /// After so many bytes of the next answer's body the connection is closed.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.0.store(HALF + bytes, Ordering::Relaxed);
    }
}

/// A connection that does what its [`Line`] says.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    line: Line,
    /// How many bytes of a cut answer may still go.
    left: Option<usize>,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> (Self, Line) {
        let line = Line::default();
        (Self { stream, line: line.clone(), left: None }, line)
    }

    /// How many of these bytes may be written; an error where the connection ends here.
    fn allowed(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.line.0.load(Ordering::Relaxed) {
            WHOLE => Ok(bytes.len()),
            CLOSED => Err(io::ErrorKind::ConnectionAborted.into()),
            RESET => {
                // Without lingering the kernel sends a reset where else it would say goodbye.
                self.stream.tcp().set_zero_linger()?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            cut => {
                let left = self.left.get_or_insert_with(|| head_length(bytes) + cut - HALF);
                match (*left).min(bytes.len()) {
                    0 => Err(io::ErrorKind::ConnectionAborted.into()),
                    allowed => Ok(allowed),
                }
            }
        }
    }
}

/// How long the head of an answer is that begins here.
fn head_length(bytes: &[u8]) -> usize {
    let end = b"\r\n\r\n";
    bytes.windows(end.len()).position(|four| four == end).map_or(0, |at| at + end.len())
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

/// Not vectored, so that an answer comes in one piece with its head in front.
impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let allowed = self.allowed(bytes)?;
        let written = Pin::new(&mut self.stream).poll_write(context, &bytes[..allowed]);
        if let (Poll::Ready(Ok(written)), Some(left)) = (&written, &mut self.left) {
            *left -= written;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
