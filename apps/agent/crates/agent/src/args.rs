//! The command line. Small enough that a parser library would be the larger part.
use std::ffi::OsString;
use std::path::PathBuf;

use crate::http::tls::TcpOptions;

pub const USAGE: &str = "\
Usage: slipway-agent daemon --data-root DIR --socket PATH [--config FILE] [--registry NAME=URL]...
                            [--download-inside PLACE]...
                            [--tcp ADDRESS --tls-cert FILE --tls-key FILE --tls-ca FILE]
       slipway-agent down --data-root DIR
       slipway-agent oci COMMAND …   an OCI runtime over bundles, without a daemon; see slipway-agent oci help

  --data-root DIR   everything the agent keeps: images, containers, volumes, build cache
  --socket PATH     Unix socket of the API (Docker Engine API and /slipway/v1)
  --config FILE     settings as JSON: policy, network pool, registries (optional)
  --registry NAME=URL  where the registry NAME is reached, like slipway.local=http://127.0.0.1:5000 (repeatable)
  --download-inside PLACE  an address, network or host name inside this network that URLs of users may lead to (repeatable)
  --tcp ADDRESS:PORT   also serve the API over TCP, to clients with a certificate of --tls-ca only; all four go together
  --tls-cert FILE, --tls-key FILE   this host's certificate and key (PEM)
  --tls-ca FILE     the authority whose certificates clients must have (PEM)

Signals: SIGINT stops every container, takes the network down and exits (the next start brings them back);
SIGTERM exits and leaves the containers running.

down: takes away what an agent that was killed left on this host: processes, control groups, bridge, rules. Data stays.";

#[derive(Debug, Clone)]
pub struct DaemonOptions {
    pub data_root: PathBuf,
    pub socket: PathBuf,
    pub config: Option<PathBuf>,
    /// Name and address.
    pub registries: Vec<(String, String)>,
    /// As `downloadInside` of the settings file, and beside it.
    pub download_inside: Vec<String>,
    pub tcp: Option<TcpOptions>,
}

#[derive(Debug)]
pub enum Command {
    Daemon(DaemonOptions),
    /// With the data root.
    Down(PathBuf),
    /// Started by the daemon only.
    Spawner,
    /// With everything behind the word.
    Oci(Vec<OsString>),
    Help,
    Version,
}

pub fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let Some(first) = args.next() else { return Err("a command is missing".into()) };
    match first.to_str() {
        Some("daemon") => parse_daemon(args).map(Command::Daemon),
        Some("down") => match (args.next(), args.next(), args.next()) {
            (Some(flag), Some(value), None) if flag == "--data-root" => Ok(Command::Down(value.into())),
            _ => Err("down takes --data-root DIR and nothing else".into()),
        },
        Some("oci") => Ok(Command::Oci(args.collect())),
        Some("spawner") => Ok(Command::Spawner),
        Some("help" | "--help" | "-h") => Ok(Command::Help),
        Some("version" | "--version" | "-V") => Ok(Command::Version),
        _ => Err(format!("unknown command {}", first.display())),
    }
}

fn parse_daemon(mut args: impl Iterator<Item = OsString>) -> Result<DaemonOptions, String> {
    let (mut data_root, mut socket, mut config) = (None, None, None);
    let (mut tcp, mut certificate, mut key, mut authority) = (None, None, None, None);
    let (mut registries, mut download_inside) = (Vec::new(), Vec::new());
    while let Some(flag) = args.next() {
        let slot = match flag.to_str() {
            Some("--data-root") => &mut data_root,
            Some("--socket") => &mut socket,
            Some("--config") => &mut config,
            Some("--tcp") => &mut tcp,
            Some("--tls-cert") => &mut certificate,
            Some("--tls-key") => &mut key,
            Some("--tls-ca") => &mut authority,
            Some("--registry") => {
                registries.push(parse_registry(args.next())?);
                continue;
            }
            Some("--download-inside") => {
                let place = args.next().and_then(|value| value.into_string().ok());
                download_inside.push(place.ok_or("--download-inside needs a value like 10.0.0.0/8 or git.lan")?);
                continue;
            }
            _ => return Err(format!("unknown flag {}", flag.display())),
        };
        let value = args.next().ok_or_else(|| format!("{} needs a value", flag.display()))?;
        *slot = Some(PathBuf::from(value));
    }
    Ok(DaemonOptions {
        data_root: data_root.ok_or("--data-root is missing")?,
        socket: socket.ok_or("--socket is missing")?,
        config,
        registries,
        download_inside,
        tcp: parse_tcp([tcp, certificate, key, authority])?,
    })
}

/// Never without certificates: the API is root on this host.
fn parse_tcp(values: [Option<PathBuf>; 4]) -> Result<Option<TcpOptions>, String> {
    match values {
        [None, None, None, None] => Ok(None),
        [Some(address), Some(certificate), Some(key), Some(authority)] => {
            let text = address.to_string_lossy();
            let address = text.parse().map_err(|_| format!("--tcp {text} must be an IP address and a port, like 10.0.0.5:2376"))?;
            Ok(Some(TcpOptions { address, certificate, key, authority }))
        }
        _ => {
            Err("--tcp, --tls-cert, --tls-key and --tls-ca go together: the API is never served over TCP without client certificates"
                .into())
        }
    }
}

fn parse_registry(value: Option<OsString>) -> Result<(String, String), String> {
    let value = value.and_then(|v| v.into_string().ok()).ok_or("--registry needs a value like slipway.local=http://127.0.0.1:5000")?;
    let (name, address) = value.split_once('=').ok_or_else(|| format!("--registry {value} must be NAME=URL"))?;
    Ok((name.to_string(), address.to_string()))
}
