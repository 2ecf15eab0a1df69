//! Security options: the filter, privileges, hidden paths.
use super::bad;
use crate::containers::model::HostConfig;
use crate::error::ApiResult;

/// Security options that change the filter and the privileges.
pub struct Security {
    pub no_new_privileges: bool,
    pub seccomp: bool,
}

pub fn security(host: &HostConfig) -> ApiResult<Security> {
    let mut security = Security { no_new_privileges: false, seccomp: !host.privileged };
    for option in &host.security_opt {
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, "true"));
        match (key, value) {
            ("no-new-privileges", value) => {
                security.no_new_privileges = value.parse().map_err(|_| bad(format!("invalid security option {option:?}")))?;
            }
            ("seccomp", "unconfined") => security.seccomp = false,
            ("seccomp", "builtin") => {}
            ("seccomp", _) => return Err(bad("custom seccomp profiles are not supported; use the default, or seccomp=unconfined")),
            // This engine uses neither AppArmor nor SELinux, so there is nothing to turn off or on.
            ("apparmor" | "label" | "disable", _) => {}
            _ => return Err(bad(format!("unknown security option {option:?}"))),
        }
    }
    Ok(security)
}
