//! Capability names and Docker's rules for `--cap-add` and `--cap-drop`.

/// By number.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

pub const ALL: u64 = (1 << NAMES.len()) - 1;

/// Names without `CAP_`, by number.
pub fn names() -> &'static [&'static str] {
    &NAMES
}

/// Bit of one capability; the `CAP_` prefix is optional and case does not matter.
pub fn bit(name: &str) -> Option<u64> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    NAMES.iter().position(|known| *known == bare).map(|number| 1 << number)
}

pub fn default_set() -> u64 {
    DEFAULT.iter().filter_map(|name| bit(name)).fold(0, |set, bit| set | bit)
}

/// Docker's order: start from the defaults (all when `ALL` is added, none when `ALL` is dropped), add, then drop.
/// `Err` is the name that is no capability.
pub fn adjust(add: &[String], drop: &[String]) -> Result<u64, String> {
    let is_all = |name: &String| name.eq_ignore_ascii_case("ALL") || name.eq_ignore_ascii_case("CAP_ALL");
    let bits = |names: &[String]| {
        names.iter().filter(|name| !is_all(name)).try_fold(0, |set, name| bit(name).map(|bit| set | bit).ok_or_else(|| name.clone()))
    };
    let (added, dropped) = (bits(add)?, bits(drop)?);
    let base = match (add.iter().any(is_all), drop.iter().any(is_all)) {
        (true, _) => ALL,
        (false, true) => 0,
        (false, false) => default_set(),
    };
    // An explicit --cap-add survives --cap-drop ALL, but not a drop of that very capability.
    Ok((base | added) & !dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).into()).collect()
    }

    #[test]
    fn adjusts_as_docker_does() {
        assert_eq!(default_set(), 0xa804_25fb);
        assert_eq!(adjust(&[], &names(&["ALL"])).unwrap(), 0);
        assert_eq!(adjust(&names(&["net_admin"]), &names(&["ALL"])).unwrap(), 1 << 12);
        assert_eq!(adjust(&names(&["ALL"]), &names(&["CAP_SYS_ADMIN"])).unwrap(), ALL & !(1 << 21));
        assert_eq!(adjust(&names(&["NOPE"]), &[]).unwrap_err(), "NOPE");
    }
}
