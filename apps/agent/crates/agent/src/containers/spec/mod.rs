//! From what a client asked for to what the runtime runs: `build` puts together what the other files make of the parts.
mod devices;
mod limits;
mod logs;
mod mounts;
mod namespaces;
mod ports;
mod process;
mod refused;
mod security;

use std::path::Path;

use slipway_cgroups::Join;
use slipway_runtime::caps;
use slipway_runtime::spec::{LaunchSpec, Process, Rootfs, Stdin};

use super::record::Record;
use crate::error::{ApiError, ApiResult};

pub use devices::own_devices;
pub use limits::{discard, limits, rlimits};
pub use logs::parse_size;
pub use namespaces::{NetworkMode, container, network_mode};
pub use ports::{parse_port, ports};
pub use process::{environment, full_hostname, hostname};
pub use refused::check as check_refused;
pub use security::{Seccomp, security};

const DEFAULT_SHM: u64 = 64 << 20;

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::bad_request(message)
}

/// Everything but the network namespace's descriptor and the user namespace. `resolv.conf`, `hosts` and `hostname` are expected in `dir`.
pub fn build(record: &Record, run: u64, dir: &Path, rootfs: Rootfs, cgroup: Join) -> ApiResult<LaunchSpec> {
    let (config, host) = (&record.config, &record.host_config);
    let namespaces = namespaces::namespaces(host)?;
    let security = security(host)?;
    let capabilities = match host.privileged {
        true => caps::ALL,
        false => {
            // As dockerd tells it: by the full name, whatever was written.
            let unknown = |what: &str, name: String| {
                let upper = name.to_ascii_uppercase();
                bad(format!("invalid {what}: unknown capability: \"CAP_{}\"", upper.strip_prefix("CAP_").unwrap_or(&upper)))
            };
            caps::adjust(&host.cap_add, &[]).map_err(|name| unknown("CapAdd", name))?;
            caps::adjust(&host.cap_add, &host.cap_drop).map_err(|name| unknown("CapDrop", name))?
        }
    };
    let paths = |own: &Option<Vec<String>>, default: fn() -> Vec<String>| match (own, host.privileged) {
        (Some(paths), _) => paths.clone(),
        (None, true) => Vec::new(),
        (None, false) => default(),
    };
    let mut args = config.entrypoint.clone().unwrap_or_default();
    args.extend(config.cmd.clone().unwrap_or_default());
    if args.first().is_none_or(String::is_empty) {
        return Err(bad("no command specified"));
    }
    process::check(config, &args)?;
    Ok(LaunchSpec {
        id: record.id.clone(),
        dir: dir.to_owned(),
        run,
        ephemeral: false,
        rootfs,
        readonly_root: host.readonly_rootfs,
        process: Process {
            args,
            env: environment(record),
            cwd: config.working_dir.clone(),
            user: config.user.clone(),
            groups: host.group_add.clone(),
            capabilities,
            no_new_privileges: security.no_new_privileges,
            tty: config.tty,
            rlimits: rlimits(host)?,
            size: (host.console_size != [0, 0]).then_some(host.console_size),
            oom_score_adj: (host.oom_score_adj != 0).then_some(host.oom_score_adj),
        },
        hostname: hostname(record),
        domainname: config.domainname.clone(),
        mounts: mounts::mounts(record, dir)?,
        masked_paths: paths(&host.masked_paths, LaunchSpec::default_masked_paths),
        readonly_paths: paths(&host.readonly_paths, LaunchSpec::default_readonly_paths),
        sysctls: namespaces::sysctls(host, &namespaces)?,
        namespaces,
        cgroup,
        devices: devices::nodes(host)?,
        shm_size: match host.ipc_mode.as_str() {
            "none" => 0,
            _ => u64::try_from(host.shm_size).ok().filter(|size| *size > 0).unwrap_or(DEFAULT_SHM),
        },
        privileged: host.privileged,
        init: host.init == Some(true),
        stdin: match (config.open_stdin, config.stdin_once) {
            (false, _) => Stdin::Null,
            (true, false) => Stdin::Open,
            (true, true) => Stdin::Once,
        },
        log: Some(logs::log_settings(host, dir)?),
        users: None,
    })
}
