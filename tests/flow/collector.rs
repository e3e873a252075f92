//! A collector of traces and metrics that keeps every byte that it is sent.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

/// Where OTLP over HTTP may be sent.
pub(crate) struct Collector {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&keep)));
            }
        });
        Self { url, received }
    }

    pub(crate) fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }
}

/// Requests one after another, each with its length said.
async fn serve(mut stream: TcpStream, keep: Arc<Mutex<Vec<u8>>>) {
    let mut held: Vec<u8> = Vec::new();
    let mut buffer = [0; 16_384];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        keep.lock().unwrap().extend_from_slice(&buffer[..read]);
        held.extend_from_slice(&buffer[..read]);
        while let Some(end) = whole(&held) {
            held.drain(..end);
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}

/// Where the first request ends, if it is there to its end.
fn whole(held: &[u8]) -> Option<usize> {
    let head = held.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&held[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap_or("0");
    let end = head + length.trim().parse::<usize>().unwrap();
    (held.len() >= end).then_some(end)
}
