//! Which broker.

use secrecy::SecretString;

use super::reader::{Reader, authority};

/// Where messages lie.
#[derive(Debug, Clone)]
pub enum Broker {
    /// In SQLite in the data folder: one machine.
    Embedded,
    /// In RabbitMQ, by this URL. It may hold a password.
    Amqp(SecretString),
}

impl Broker {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let url = reader.parsed("AMQP_URL", |text| {
            let rest = text
                .strip_prefix("amqp://")
                .or_else(|| text.strip_prefix("amqps://"))
                .ok_or("must begin with amqp:// or amqps://")?;
            let place = rest.split(['/', '?']).next().unwrap_or_default();
            let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
            match authority(host) {
                Ok(("", _)) => Err("must name a host".to_owned()),
                // What reads it further on takes such a host for localhost.
                Ok(_) if host.starts_with('[') => {
                    Err("must name its host, or an IPv4 address".to_owned())
                }
                Ok(_) => Ok(SecretString::from(text)),
                Err(problem) => Err(problem),
            }
        });
        url.map_or(Broker::Embedded, Broker::Amqp)
    }
}
