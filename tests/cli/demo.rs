//! The demo, as a newcomer runs it: twice, and beside one that holds its addresses.

use std::net::TcpListener;

use crate::shell::Shell;
use crate::support::process::free_port;

#[test]
fn it_works_started_twice_with_nothing_configured_and_its_addresses_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let ingest = taken.local_addr().unwrap().to_string();
    let metrics = format!("127.0.0.1:{}", free_port());
    let mut shell = Shell::new().with("INGEST_LISTEN", &ingest).with("METRICS_LISTEN", &metrics);
    shell.env.retain(|(name, _)| name != "MASTER_KEY");
    for _ in 0..2 {
        let played = shell.run(&["demo", "--exit"]);
        assert_eq!(played.code, 0, "{}{}", played.out, played.err);
        assert!(
            played.err.contains(&format!("INGEST_LISTEN {ingest} is in use")),
            "{}",
            played.err
        );
        for word in ["paid", "declined", "pending", "all ended as they should"] {
            assert!(played.out.contains(word), "{word}: {}", played.out);
        }
    }
    assert!(shell.folder.path().join("data/master.key").exists());
}
