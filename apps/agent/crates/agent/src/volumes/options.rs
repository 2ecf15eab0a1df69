//! Options of the `local` driver (`docker volume create -o type=… -o o=… -o device=…`): which there are, and what they mean.
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use slipway_oci::mount_options::{self, Options as MountOptions};

use crate::containers::spec::parse_size;
use crate::error::{ApiError, ApiResult};

pub type Options = BTreeMap<String, String>;

/// Each with those that it needs beside it.
const KNOWN: [(&str, &[&str]); 4] = [("device", &["type"]), ("type", &["device"]), ("o", &["device", "type"]), ("size", &[])];
/// What `mount(2)` takes of one string.
const LONGEST: usize = 4_095;

/// What is to be mounted: told from the options, not yet looked at on the host.
#[derive(Debug)]
pub struct Plan {
    pub kind: String,
    pub device: String,
    pub options: MountOptions,
}

/// Where a volume's content comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// The real path of a folder of the host.
    Folder(PathBuf),
    /// The real path of a block device.
    Block(PathBuf),
    Memory,
    /// Another host's.
    Remote,
    /// A file system that may show anything, by options that only the kernel understands.
    Other,
}

/// In dockerd's words.
pub fn check(name: &str, options: &Options) -> ApiResult<()> {
    let bad = |why: String| Err(ApiError::bad_request(format!("create {name}: {why}")));
    for (key, value) in options {
        if !KNOWN.iter().any(|(known, _)| known == key) {
            return bad(format!("invalid option: {key:?}"));
        }
        if value.len() > LONGEST || value.contains('\0') {
            return bad(format!("invalid value of the option {key:?}"));
        }
    }
    for (_, needed) in KNOWN.iter().filter(|(key, _)| options.contains_key(*key)) {
        if let Some(missing) = needed.iter().find(|needed| options.get(**needed).is_none_or(String::is_empty)) {
            return bad(format!("missing required option: {missing:?}"));
        }
    }
    if let Some(size) = options.get("size") {
        match parse_size(size) {
            None => return bad(format!("invalid size: '{size}'")),
            Some(0) => {}
            Some(_) => return bad("quota size requested but no quota support; a tmpfs takes its size as o=size=…".to_owned()),
        }
    }
    match plan(options) {
        Some(plan) if plan.options.bind && !plan.device.starts_with('/') => {
            bad(format!("invalid mount path: '{}' mount path must be absolute", plan.device))
        }
        _ => Ok(()),
    }
}

/// `None` when there is nothing to be mounted.
pub fn plan(options: &Options) -> Option<Plan> {
    let device = options.get("device")?.clone();
    let words = options.get("o").map(String::as_str).unwrap_or_default();
    let words: Vec<String> = words.split(',').filter(|word| !word.is_empty()).map(String::from).collect();
    Some(Plan { kind: options.get("type").cloned().unwrap_or_default(), device, options: mount_options::parse(&words) })
}

impl Plan {
    /// Looks at the host: where links lead is what counts.
    ///
    /// # Errors
    /// When the folder to be bound is not there, or is none.
    pub fn source(&self) -> io::Result<Source> {
        if self.options.bind {
            let path = Path::new(&self.device).canonicalize()?;
            return if path.is_dir() { Ok(Source::Folder(path)) } else { Err(io::ErrorKind::NotADirectory.into()) };
        }
        Ok(match self.kind.as_str() {
            "tmpfs" | "ramfs" => Source::Memory,
            "nfs" | "nfs4" | "cifs" | "smb3" => Source::Remote,
            _ => match Path::new(&self.device).canonicalize() {
                Ok(path) if fs::metadata(&path)?.file_type().is_block_device() => Source::Block(path),
                _ => Source::Other,
            },
        })
    }

    /// Key and value, as the file system takes them; an empty value is a flag.
    ///
    /// # Errors
    /// When the name of another host is not known.
    pub fn data(&self, source: &Source) -> io::Result<Vec<(String, String)>> {
        let mut data = self.options.data.clone();
        let mut device = match source {
            Source::Block(path) => path.to_string_lossy().into_owned(),
            _ => self.device.clone(),
        };
        if *source == Source::Remote {
            // The kernel knows no names.
            match data.iter_mut().find(|(key, _)| key == "addr") {
                Some((_, address)) => *address = resolve(address)?,
                None if matches!(self.kind.as_str(), "cifs" | "smb3") => device = resolve_share(&device)?,
                None => {}
            }
        }
        data.insert(0, ("source".to_owned(), device));
        // For the file system itself, which may be on a medium that cannot be written.
        if self.options.set & slipway_sys::mount::RDONLY != 0 {
            data.push(("ro".to_owned(), String::new()));
        }
        Ok(data)
    }
}

/// An address as it is, or that of a name: an IPv4 one if there is one.
fn resolve(host: &str) -> io::Result<String> {
    if host.parse::<IpAddr>().is_ok() {
        return Ok(host.to_owned());
    }
    let unknown = |error| io::Error::other(format!("error resolving passed in network volume address: {error}"));
    let mut found: Vec<IpAddr> = (host, 0).to_socket_addrs().map_err(unknown)?.map(|address| address.ip()).collect();
    found.sort_by_key(IpAddr::is_ipv6);
    found.first().map(IpAddr::to_string).ok_or_else(|| unknown(io::Error::other(format!("{host} has no address"))))
}

/// `//host/share` with an address in place of the name.
fn resolve_share(device: &str) -> io::Result<String> {
    let Some((host, share)) = device.strip_prefix("//").and_then(|rest| rest.split_once('/')) else { return Ok(device.to_owned()) };
    resolve(host).map(|address| format!("//{address}/{share}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Options {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn refusal(pairs: &[(&str, &str)]) -> String {
        check("v", &options(pairs)).unwrap_err().message
    }

    fn data(kind: &str, device: &str, o: &str) -> Vec<String> {
        let plan = plan(&options(&[("type", kind), ("device", device), ("o", o)])).unwrap();
        let pairs = plan.data(&plan.source().unwrap()).unwrap();
        pairs.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    #[test]
    fn refusals_are_dockerds() {
        assert_eq!(refusal(&[("colour", "blue")]), "create v: invalid option: \"colour\"");
        assert_eq!(refusal(&[("type", "tmpfs")]), "create v: missing required option: \"device\"");
        assert_eq!(refusal(&[("device", "/x")]), "create v: missing required option: \"type\"");
        assert_eq!(refusal(&[("o", "bind")]), "create v: missing required option: \"device\"");
        assert!(refusal(&[("size", "1g")]).starts_with("create v: quota size requested but no quota support"));
        assert_eq!(refusal(&[("size", "much")]), "create v: invalid size: 'much'");
        assert!(refusal(&[("type", "none"), ("o", "bind"), ("device", "here")]).contains("must be absolute"));
        assert!(refusal(&[("type", "tmpfs"), ("device", &"x".repeat(5_000))]).contains("invalid value"));
        for fine in [&[][..], &[("size", "0")], &[("type", "tmpfs"), ("device", "tmpfs")]] {
            check("v", &options(fine)).unwrap();
        }
    }

    #[test]
    fn the_kernel_gets_what_it_understands() {
        assert_eq!(
            data("tmpfs", "tmpfs", "size=100m,uid=1000,nosuid,noexec,mode=700"),
            ["source=tmpfs", "size=100m", "uid=1000", "mode=700"]
        );
        assert_eq!(
            data("nfs", ":/exports/a b", "addr=10.0.0.5,ro,nfsvers=4,soft"),
            ["source=:/exports/a b", "addr=10.0.0.5", "nfsvers=4", "soft=", "ro="]
        );
        assert_eq!(data("nfs", ":/x", "addr=localhost,rw"), ["source=:/x", "addr=127.0.0.1"]);
        assert_eq!(data("cifs", "//localhost/share", "username=u,password=p"), ["source=//127.0.0.1/share", "username=u", "password=p"]);
        assert_eq!(data("cifs", "//files/share", "addr=::1")[..2], ["source=//files/share", "addr=::1"]);
        let unknown = plan(&options(&[("type", "nfs"), ("device", ":/x"), ("o", "addr=nowhere.invalid")])).unwrap();
        assert!(unknown.data(&Source::Remote).unwrap_err().to_string().contains("error resolving passed in network volume address"));
    }
}
