//! The OpenAPI document and the router agree.

use serde_json::Value;

use crate::world::{KEY, World, bearer};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Value {
    serde_json::from_str(amazon_pay_worker::roles::ingest::OPENAPI).unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_is_served_to_whoever_asks() {
    let world = World::start().await;
    let answer = world.request("GET", "/openapi.json", &[], "").await;
    assert_eq!(answer.expect(200), document());
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(document()["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[tokio::test(start_paused = true)]
async fn every_route_in_it_exists_and_no_other() {
    let world = World::start().await;
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths {
        let mut target = path.replace("{mid}", "mid-na");
        for id in ["{orderId}", "{upsellId}", "{chargeId}"] {
            target = target.replace(id, "1");
        }
        for method in METHODS {
            let headers = [("authorization", &*bearer(KEY))];
            let answer = world.request(&method.to_uppercase(), &target, &headers, "").await;
            let described = methods.get(method).is_some();
            assert_eq!(answer.status != 405, described, "{method} {path}: {}", answer.text);
            if described && answer.status == 404 {
                assert!(answer.text.contains("no worker"), "{method} {path}: {}", answer.text);
            }
        }
    }
    let known: Vec<_> = paths.keys().map(|path| path.trim_end_matches('/')).collect();
    for path in amazon_pay_worker::roles::ingest::ROUTES {
        assert!(known.contains(path), "{path} is not described");
    }
    assert_eq!(known.len(), amazon_pay_worker::roles::ingest::ROUTES.len());
}

#[test]
fn every_reference_in_it_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if name == "$ref" {
                        found.push(member.as_str().unwrap().to_owned());
                    }
                    references(member, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_as_it_describes_them() {
    let world = World::start().await;
    let check = |schema: &str, value: &Value| {
        let mut root = document();
        root["$ref"] = format!("#/components/schemas/{schema}").into();
        let validator = jsonschema::draft202012::new(&root).unwrap();
        let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{schema}: {errors:?} {value}");
    };
    let order = crate::world::order();
    check("Order", &order);
    check("Accepted", &world.post("/v1/orders", &order).await.expect(202));
    check("Problem", &world.get("/v1/nothing").await.expect(404));
    check("Events", &world.get("/v1/events").await.expect(200));
    world.database.payments.lock().unwrap().push(crate::reading::payment("mid-na", "CRM-1"));
    check("Payment", &world.get("/v1/orders/mid-na/CRM-1?timeline=1").await.expect(200));
    let crm = world.form("/order/query/", &[("orderId", "CRM-1")]).await;
    check("CrmAnswer", &crm.expect(200));
}
