//! `features`: what this runtime can, in the form runtime-spec's `features.md` defines.
use serde_json::{Value, json};
use slipway_runtime::caps;

use crate::config::linux::NAMESPACES;

pub fn describe() -> Value {
    let namespaces: Vec<&str> = NAMESPACES.iter().map(|(name, _, _)| *name).collect();
    let capabilities: Vec<String> = caps::names().iter().map(|name| format!("CAP_{name}")).collect();
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.1.0",
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": crate::inside::mount_options(),
        "linux": {
            "namespaces": namespaces,
            "capabilities": capabilities,
            "cgroup": { "v1": true, "v2": true, "systemd": false, "systemdUser": false, "rdma": true },
            "seccomp": crate::filter::features(),
            "apparmor": { "enabled": false },
            "selinux": { "enabled": false },
            "intelRdt": { "enabled": false },
            "mountExtensions": { "idmap": { "enabled": false } },
        },
        "annotations": { "dev.slipway.version": env!("CARGO_PKG_VERSION") },
    })
}
