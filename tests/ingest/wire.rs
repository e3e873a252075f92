//! What only a real connection shows: heads and bodies that are too long.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

async fn talk(world: &World, request: String) -> (String, String) {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test]
async fn a_query_too_long_for_the_parser_is_answered_in_the_contract_s_words() {
    let world = World::start().await;
    for length in [66_000, 100_000] {
        let query = "x".repeat(length);
        let head = format!("GET /order/import/?a={query} HTTP/1.1\r\nHost: here\r\n\r\n");
        let (head, body) = talk(&world, head).await;
        assert!(head.starts_with("http/1.1 413 "), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        assert!(body.starts_with("{") && body.contains("\"result\":\"ERROR\""), "{body}");

        let head = format!("GET /v1/events?a={query} HTTP/1.1\r\nHost: here\r\n\r\n");
        let (head, body) = talk(&world, head).await;
        assert!(head.starts_with("http/1.1 413 "), "{head}");
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        assert!(body.contains("\"status\":413"), "{body}");
    }
}

#[tokio::test]
async fn a_body_too_long_is_read_on_so_that_the_answer_arrives() {
    let world = World::start().await;
    let body = "x".repeat(3 * 1024 * 1024);
    let request = format!(
        "POST /order/import/ HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (head, body) = talk(&world, request).await;
    assert!(head.starts_with("http/1.1 413 "), "{head}");
    assert!(body.contains("\"result\":\"ERROR\""), "{body}");
}

#[tokio::test]
async fn told_to_stop_it_finishes_and_takes_no_more() {
    let world = World::start().await;
    let (head, _) =
        talk(&world, "GET /livez HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".to_owned())
            .await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    world.stop.cancel();
    // The listener is dropped with the loop; until then a connection may still be taken.
    while TcpStream::connect(world.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
