//! Mount options as `mount(8)` writes them, told apart: attributes of the mount, propagation, and what the file system itself
//! understands.
use slipway_sys::mount as attr;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `MOUNT_ATTR_*` to set and to clear on the mount itself.
    pub set: u64,
    pub clear: u64,
    /// The same for everything mounted beneath it, too.
    pub set_recursive: u64,
    pub clear_recursive: u64,
    /// In order, each with whether it is for what is beneath, too.
    pub propagation: Vec<(u64, bool)>,
    pub bind: bool,
    pub recursive: bool,
    /// Fill a tmpfs with what the image has in its place.
    pub copy_up: bool,
    /// Key and value for the file system; an empty value is a flag.
    pub data: Vec<(String, String)>,
}

/// Name, attribute, whether it is set (else cleared). Attributes not named stay as they are.
const ATTRIBUTES: [(&str, u64, bool); 10] = [
    ("ro", attr::RDONLY, true),
    ("rw", attr::RDONLY, false),
    ("nosuid", attr::NOSUID, true),
    ("suid", attr::NOSUID, false),
    ("nodev", attr::NODEV, true),
    ("dev", attr::NODEV, false),
    ("noexec", attr::NOEXEC, true),
    ("exec", attr::NOEXEC, false),
    ("nodiratime", libc::MOUNT_ATTR_NODIRATIME, true),
    ("diratime", libc::MOUNT_ATTR_NODIRATIME, false),
];

/// Access times are one field of several values: setting one clears the others.
const TIMES: [(&str, u64); 6] = [
    ("noatime", libc::MOUNT_ATTR_NOATIME),
    ("strictatime", libc::MOUNT_ATTR_STRICTATIME),
    ("relatime", libc::MOUNT_ATTR_RELATIME),
    ("atime", libc::MOUNT_ATTR_RELATIME),
    ("norelatime", libc::MOUNT_ATTR_STRICTATIME),
    ("nostrictatime", libc::MOUNT_ATTR_RELATIME),
];

const PROPAGATION: [(&str, u64); 4] =
    [("private", attr::PRIVATE), ("shared", attr::SHARED), ("slave", attr::SLAVE), ("unbindable", libc::MS_UNBINDABLE)];

/// Flags of the superblock by the names `fsconfig` takes.
const SUPERBLOCK: [&str; 5] = ["sync", "dirsync", "mand", "lazytime", "iversion"];

/// What changes nothing: a new mount is so anyway, or it could only mean a change of an old one.
const WITHOUT_EFFECT: [&str; 10] = ["defaults", "remount", "async", "nomand", "nolazytime", "noiversion", "loud", "silent", "acl", "noacl"];

/// Every option that is understood here, and not handed to the file system.
pub fn known() -> Vec<String> {
    let attributes = ATTRIBUTES.iter().map(|(name, _, _)| *name).chain(TIMES.iter().map(|(name, _)| *name));
    let doubled = attributes.chain(PROPAGATION.iter().map(|(name, _)| *name)).flat_map(|name| [name.to_owned(), format!("r{name}")]);
    let single = ["bind", "rbind", "tmpcopyup"].into_iter().chain(SUPERBLOCK).chain(WITHOUT_EFFECT).map(String::from);
    let mut names: Vec<String> = doubled.chain(single).collect();
    names.sort();
    names
}

pub fn parse(options: &[String]) -> Options {
    let mut parsed = Options::default();
    for option in options {
        one(option, &mut parsed);
    }
    parsed
}

fn one(option: &str, parsed: &mut Options) {
    match option {
        "bind" => parsed.bind = true,
        "rbind" => (parsed.bind, parsed.recursive) = (true, true),
        "tmpcopyup" => parsed.copy_up = true,
        _ if WITHOUT_EFFECT.contains(&option) => {}
        _ if SUPERBLOCK.contains(&option) => parsed.data.push((option.into(), String::new())),
        _ => {
            let beneath = option.strip_prefix('r').filter(|rest| !rest.is_empty());
            if attribute(option, &mut parsed.set, &mut parsed.clear) {
                return;
            }
            if let Some((_, kind)) = PROPAGATION.iter().find(|(name, _)| *name == option) {
                return parsed.propagation.push((*kind, false));
            }
            if let Some((_, kind)) = beneath.and_then(|rest| PROPAGATION.iter().find(|(name, _)| *name == rest)) {
                return parsed.propagation.push((*kind, true));
            }
            // `rro`, `rnosuid`, …: since runtime spec 1.1.
            if beneath.is_some_and(|rest| attribute(rest, &mut parsed.set_recursive, &mut parsed.clear_recursive)) {
                return;
            }
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            parsed.data.push((key.into(), value.into()));
        }
    }
}

fn attribute(name: &str, set: &mut u64, clear: &mut u64) -> bool {
    if let Some((_, flag, on)) = ATTRIBUTES.iter().find(|(known, _, _)| *known == name) {
        match on {
            true => (*set, *clear) = (*set | flag, *clear & !flag),
            false => (*set, *clear) = (*set & !flag, *clear | flag),
        }
        return true;
    }
    let Some((_, time)) = TIMES.iter().find(|(known, _)| *known == name) else { return false };
    *set = *set & !libc::MOUNT_ATTR__ATIME | time;
    *clear |= libc::MOUNT_ATTR__ATIME;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Options {
        parse(&text.split(',').map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn tells_kinds_apart() {
        let parsed = options("nosuid,strictatime,mode=755,size=65536k,newinstance,sync");
        assert_eq!(parsed.set, attr::NOSUID | libc::MOUNT_ATTR_STRICTATIME);
        let data: Vec<_> = parsed.data.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(data, ["mode=755", "size=65536k", "newinstance=", "sync="]);
        let parsed = options("rbind,ro,rslave,rro,rnosuid,noexec,exec");
        assert!(parsed.bind && parsed.recursive);
        assert_eq!((parsed.set, parsed.clear), (attr::RDONLY, attr::NOEXEC));
        assert_eq!(parsed.set_recursive, attr::RDONLY | attr::NOSUID);
        assert_eq!(parsed.propagation, [(attr::SLAVE, true)]);
        assert_eq!(options("noatime,relatime").set, 0);
    }
}
