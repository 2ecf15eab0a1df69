//! Security options: the filter, privileges, hidden paths.
use super::bad;
use crate::containers::model::HostConfig;
use crate::error::ApiResult;

/// Security options that change the filter and the privileges. A privileged container has no filter unless it is given one.
pub struct Security {
    pub no_new_privileges: bool,
    pub seccomp: Seccomp,
}

/// Which system calls are refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Seccomp {
    Default,
    Unconfined,
    /// A profile in Docker's JSON format.
    Profile(String),
}

impl Seccomp {
    /// Whether the agent's own list is in force, and not less.
    pub fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

pub fn security(host: &HostConfig) -> ApiResult<Security> {
    let mut security = Security { no_new_privileges: false, seccomp: if host.privileged { Seccomp::Unconfined } else { Seccomp::Default } };
    for option in &host.security_opt {
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, "true"));
        match (key, value) {
            ("no-new-privileges", value) => {
                security.no_new_privileges = value.parse().map_err(|_| bad(format!("invalid --security-opt 2: {option:?}")))?;
            }
            ("seccomp", "unconfined") => security.seccomp = Seccomp::Unconfined,
            ("seccomp", "builtin") => {}
            // The client reads the file and sends what is in it.
            ("seccomp", profile) => security.seccomp = Seccomp::Profile(profile.to_owned()),
            ("userns", _) => {} // see `containers/users.rs`
            // This engine uses neither AppArmor nor SELinux, so there is nothing to turn off or on.
            ("apparmor" | "label" | "disable", _) => {}
            _ => {
                let which = if option.contains(['=', ':']) { 2 } else { 1 };
                return Err(bad(format!("invalid --security-opt {which}: {option:?}")));
            }
        }
    }
    Ok(security)
}
