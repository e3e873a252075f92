//! The clock, the faults and the settings.

use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use super::{Refused, Reply, ok, read};
use crate::simulator::clock::rfc3339;
use crate::simulator::faults::Fault;
use crate::simulator::settings::{Settings, SettingsBody};
use crate::simulator::{Simulator, World};

fn show_clock(world: &World) -> Reply {
    ok(&json!({"now": rfc3339(world.books.now())}))
}

/// `GET /_sim/clock`
pub(super) async fn clock(State(simulator): State<Simulator>) -> Reply {
    show_clock(&simulator.world())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdvanceBody {
    advance_seconds: u64,
}

/// `POST /_sim/clock`
pub(super) async fn advance(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    let body: AdvanceBody = read(&body)?;
    if !simulator.world().clock.advance(body.advance_seconds) {
        return Err(Refused::Nonsense("advanceSeconds: too far".to_owned()));
    }
    show_clock(&simulator.world())
}

/// `GET /_sim/faults`
pub(super) async fn faults(State(simulator): State<Simulator>) -> Reply {
    ok(&simulator.world().faults.list())
}

/// `PUT /_sim/faults`
pub(super) async fn set_faults(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    let list: Vec<Fault> = read(&body)?;
    let mut world = simulator.world();
    world.faults.replace(list).map_err(Refused::Nonsense)?;
    ok(&world.faults.list())
}

/// `DELETE /_sim/faults`
pub(super) async fn clear_faults(State(simulator): State<Simulator>) -> Reply {
    let mut world = simulator.world();
    world.faults.replace(Vec::new()).map_err(Refused::Nonsense)?;
    ok(&world.faults.list())
}

/// `PUT /_sim/settings`: what is not said is the default again.
pub(super) async fn settings(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    let body: SettingsBody = read(&body)?;
    let settings = Settings::try_from(body).map_err(Refused::Nonsense)?;
    simulator.world().apply(settings);
    ok(&SettingsBody::from(settings))
}
