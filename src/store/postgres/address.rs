//! Where the database is, and whether the way there may be used.

use super::super::{StoreError, limits};
use crate::secret::Secret;
use std::net::IpAddr;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// How long an idle connection is silent before the system asks whether the other end is there.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Reads an address and refuses one that would send credentials and policies over an open network by accident.
///
/// # Errors
/// The text never holds any part of the address: what cannot be read may be a password.
pub(super) fn read(url: &Secret) -> Result<Config, StoreError> {
    // The words of PostgreSQL's own library for what is the only way of encrypting here: certificates are checked.
    let text = url.expose().replace("sslmode=verify-full", "sslmode=require");
    let text = text.replace("sslmode=verify-ca", "sslmode=require");
    let mut config: Config = text.parse().map_err(|_| {
        refused(
            "is not an address of PostgreSQL",
            "write postgres://user:password@host:5432/database?sslmode=require, with the special characters of the \
             password percent-encoded",
        )
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(refused("names no host", "write postgres://user:password@host:5432/database"));
    }
    let stated = text.contains("sslmode=");
    let mode = match (config.get_ssl_mode(), is_local(&config)) {
        (SslMode::Disable, _) => SslMode::Disable,
        (SslMode::Prefer, true) => SslMode::Disable,
        (SslMode::Prefer, false) if stated => {
            return Err(refused(
                "says sslmode=prefer, which may go unencrypted",
                "write sslmode=require, or sslmode=disable if the network is trusted",
            ));
        }
        _ => SslMode::Require,
    };
    config.ssl_mode(mode).keepalives_idle(KEEPALIVE).tcp_user_timeout(limits::POSTGRES_WORK);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(limits::POSTGRES_CONNECT);
    }
    if config.get_application_name().is_none() {
        config.application_name("callgate");
    }
    Ok(config)
}

fn refused(what: &str, way_out: &str) -> StoreError {
    StoreError::Failed(format!("the database's address {what}; {way_out}"))
}

/// Whether every host is this machine.
fn is_local(config: &Config) -> bool {
    let loopback = |name: &str| {
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    let named = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => loopback(name),
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    // An address wins over the name beside it.
    if config.get_hostaddrs().is_empty() {
        named
    } else {
        config.get_hostaddrs().iter().all(IpAddr::is_loopback)
    }
}

/// How the database is named in messages: host and database, nothing that is secret.
pub(super) fn shown(config: &Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    let addresses = config.get_hostaddrs().iter().map(ToString::to_string);
    let places: Vec<String> = hosts.chain(addresses).collect();
    format!("{}/{}", places.join(","), config.get_dbname().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Option<SslMode> {
        read(&Secret::new(url)).ok().map(|config| config.get_ssl_mode())
    }

    #[test]
    fn the_way_there_is_encrypted_unless_it_is_local_or_the_address_says_otherwise() {
        for (url, expected) in [
            ("postgres://u:p@db.example.com/d", Some(SslMode::Require)),
            ("postgres://u:p@db.example.com/d?sslmode=require", Some(SslMode::Require)),
            ("postgres://u:p@db.example.com/d?sslmode=verify-full", Some(SslMode::Require)),
            ("postgres://u:p@db.example.com/d?sslmode=disable", Some(SslMode::Disable)),
            ("postgres://u:p@db.example.com/d?sslmode=prefer", None),
            ("postgres://u:p@localhost,db.example.com/d", Some(SslMode::Require)),
            ("host=localhost hostaddr=10.0.0.1 user=u", Some(SslMode::Require)),
            ("postgres://u:p@localhost/d", Some(SslMode::Disable)),
            ("postgres://u:p@[::1]:5433/d", Some(SslMode::Disable)),
            ("postgres://u:p@127.0.0.1/d?sslmode=require", Some(SslMode::Require)),
            ("host=/var/run/postgresql user=u", Some(SslMode::Disable)),
            ("user=u dbname=d", None),
            ("http://u:p@host/d", None),
            ("postgres://u:p@host/d?sslmode=maybe", None),
        ] {
            assert_eq!(mode(url), expected, "{url}");
        }
    }

    #[test]
    fn nothing_of_the_address_is_told_but_host_and_database() {
        for url in ["postgres://u:hunter2@h:hunter2/d", "postgres://u:hunter2@h/d?hunter2=1", "hunter2"] {
            let told = read(&Secret::new(url)).expect_err("no address").to_string();
            assert!(!told.contains("hunter2"), "{told}");
        }
        let config = read(&Secret::new("postgres://u:hunter2@h:1/d")).expect("an address");
        assert_eq!(shown(&config), "h/d");
    }
}
