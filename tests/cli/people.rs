//! MIDs and API clients: what may be asked for, what is printed, and what is never printed.

use serde_json::{Value, json};

use crate::shell::Shell;
use crate::support::app::{MID, merchant, merchant_id};
use crate::support::{App, Broker, Combination, Store, eventually};

const SECRETS: [&str; 2] = ["secret-of-A7", "client-secret-of-A7"];

fn add(shell: &Shell, mid: &Value, more: &[&str]) -> crate::shell::Printed {
    let args = [&["mid", "add", "--file", "-"], more].concat();
    shell.run_with(&args, &mid.to_string())
}

#[test]
fn a_mid_is_added_shown_and_listed_without_its_secrets() {
    let shell = Shell::new();
    let added = add(&shell, &merchant("7"), &["--json"]).json();
    assert_eq!(added["id"], "7");
    assert_eq!(added["descriptor"], "TEST*SHOP");
    assert_eq!(added["reauthorize"]["enabled"], false);
    let shown = shell.run(&["mid", "show", "7", "--json"]).json();
    assert_eq!(shown, added);
    let listed = shell.run(&["mid", "list", "--json"]).json();
    assert_eq!(listed, json!([added]));
    let texts = [
        shown.to_string(),
        shell.run(&["mid", "show", "7"]).done(),
        shell.run(&["mid", "list"]).done(),
    ];
    for text in texts {
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}

#[test]
fn an_id_is_given_out_where_none_is_named() {
    let shell = Shell::new();
    let mut mid = merchant("7");
    mid.as_object_mut().unwrap().remove("id");
    assert_eq!(add(&shell, &mid, &["--json"]).json()["id"], "1");
    assert_eq!(add(&shell, &mid, &["--json"]).json()["id"], "2");
}

#[test]
fn every_bad_field_is_named_at_once_and_no_value_is_shown() {
    let shell = Shell::new();
    let bad = json!({
        "id": "a b", "descriptor": "SEVENTEEN LETTERS", "region": "us", "secretKey": 5,
        "clientSecret": "hush", "privatekey": "hush",
    });
    let err = add(&shell, &bad, &[]).failed(1);
    for name in ["id", "descriptor", "region", "secretKey", "merchantId", "privatekey"] {
        assert!(err.contains(&format!("\n  {name} ")), "{name}: {err}");
    }
    assert!(!err.contains("hush"), "{err}");
    assert!(shell.run_with(&["mid", "add", "--file", "-"], "{").failed(1).contains("JSON"));
    assert_eq!(shell.run(&["mid", "list", "--json"]).json(), json!([]));
}

#[test]
fn secrets_lie_sealed_in_the_database() {
    let shell = Shell::new();
    add(&shell, &merchant("7"), &[]).done();
    for entry in std::fs::read_dir(shell.folder.path().join("data")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)));
    }
}

#[test]
fn a_mid_is_disabled_enabled_and_rotated_and_belongs_to_one_seller_for_ever() {
    let shell = Shell::new();
    add(&shell, &merchant("7"), &[]).done();
    assert!(add(&shell, &merchant("7"), &[]).failed(1).contains("there already"));
    shell.run(&["mid", "disable", "7"]).done();
    assert_eq!(shell.run(&["mid", "show", "7", "--json"]).json()["enabled"], false);
    shell.run(&["mid", "enable", "7"]).done();
    let rotate = ["mid", "rotate", "7", "--file", "-", "--json"];
    let rotated = shell.run_with(&rotate, r#"{"accessKey":"NEW","title":"Other"}"#).json();
    assert_eq!((&rotated["accessKey"], &rotated["title"]), (&json!("NEW"), &json!("Other")));
    assert_eq!(rotated["enabled"], true);
    let moved = shell.run_with(&rotate, r#"{"merchantId":"OTHER"}"#).failed(1);
    assert!(moved.contains("merchantId"), "{moved}");
    for act in ["show", "disable", "enable", "test"] {
        assert!(shell.run(&["mid", act, "8"]).failed(1).contains("no mid 8"));
    }
}

#[test]
fn a_rotated_master_key_opens_what_the_old_one_sealed() {
    let shell = Shell::new();
    add(&shell, &merchant("7"), &[]).done();
    let old = shell.env.iter().find(|(name, _)| name == "MASTER_KEY").unwrap().1.clone();
    let new = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
    let shell = shell.with("MASTER_KEY", &format!("{new},{old}"));
    shell.run_with(&["mid", "rotate", "7", "--file", "-"], "{}").done();
    let shell = shell.with("MASTER_KEY", new);
    assert_eq!(shell.run(&["mid", "show", "7", "--json"]).json()["id"], "7");
    let shell = shell.with("MASTER_KEY", &old);
    let err = shell.run(&["mid", "show", "7"]).failed(1);
    assert!(err.contains("master key"), "{err}");
}

#[test]
fn a_client_s_secrets_are_printed_once_and_fit_into_a_lander_s_form() {
    let shell = Shell::new();
    let client = shell.run(&["api-client", "add", "--name", "lander", "--json"]).json();
    let text = |name: &str| client[name].as_str().unwrap().to_owned();
    assert!(text("loginId").len() <= 32 && text("password").len() <= 32);
    assert_ne!(text("password"), text("apiKey"));
    let listed = shell.run(&["api-client", "list", "--json"]).done();
    assert!(listed.contains(&text("loginId")));
    assert!(!listed.contains(&text("password")) && !listed.contains(&text("apiKey")));
    shell.run(&["api-client", "revoke", "lander"]).done();
    let listed = shell.run(&["api-client", "list", "--json"]).json();
    assert_eq!(listed[0]["revoked"], true);
    assert!(shell.run(&["api-client", "revoke", "nobody"]).failed(1).contains("nobody"));
}

#[tokio::test]
async fn running_roles_learn_of_a_new_mid_and_of_a_revoked_client() {
    let app = App::start(Combination::of(Broker::Embedded, Store::Sqlite)).await;
    app.cli_done(&["mid", "test", MID]);
    app.add_mid(&merchant("mid-2")).await;
    let reference = app.sim.order_reference(&merchant_id("mid-2"), Value::Null).await;
    let mut order = crate::support::app::order("o-1", &reference);
    order["amazonBillerId"] = json!("mid-2");
    app.submit("order.import", &order).await.expect(202);
    let paid = app.done_at("/v1/orders/mid-2/o-1").await;
    assert_eq!(paid["status"], "paid", "{paid}");

    app.cli_done(&["api-client", "revoke", &app.client.login_id]);
    eventually("the revocation", async || {
        (app.api.get("/v1/orders/mid-2/o-1").await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn keys_that_amazon_refuses_are_told_in_words() {
    let app = App::start(Combination::of(Broker::Embedded, Store::Sqlite)).await;
    let rotate = ["mid", "rotate", MID, "--file", "-"];
    app.cli_done_with(&rotate, r#"{"secretKey":"not this one"}"#);
    let tested = app.cli(&["mid", "test", MID], "");
    assert_eq!(tested.status.code(), Some(1));
    let err = String::from_utf8_lossy(&tested.stderr).into_owned();
    assert!(err.contains("secret key does not belong"), "{err}");
    assert!(!err.contains("not this one"), "{err}");
}
