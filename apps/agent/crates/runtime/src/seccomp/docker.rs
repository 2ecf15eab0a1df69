//! Docker's profile format (`--security-opt seccomp=<file>`): the runtime spec's, with conditions on the machine and on the
//! container's capabilities.
use serde::Deserialize;

use super::compare::Argument;
use super::custom::{Filter, Rule, compile};
use crate::caps;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DockerProfile {
    default_action: String,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<String>>,
    arch_map: Option<Vec<serde_json::Value>>,
    flags: Option<Vec<String>>,
    listener_path: String,
    syscalls: Option<Vec<DockerSyscall>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DockerSyscall {
    name: String,
    names: Option<Vec<String>>,
    action: String,
    errno_ret: Option<u32>,
    args: Option<Vec<Argument>>,
    includes: Option<Condition>,
    excludes: Option<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    /// `4.8`
    min_kernel: Option<String>,
}

#[cfg(target_arch = "x86_64")]
const ARCH: &str = "amd64";
#[cfg(target_arch = "aarch64")]
const ARCH: &str = "arm64";

/// Compiles a profile as the `docker` CLI sends it for a container with these capabilities and this kernel (`6.1.0-13`).
pub fn docker_filter(json: &str, capabilities: u64, kernel: &str) -> Result<Vec<u8>, String> {
    let profile: DockerProfile = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if profile.architectures.as_ref().is_some_and(|list| !list.is_empty()) && profile.arch_map.as_ref().is_some_and(|list| !list.is_empty())
    {
        return Err(
            "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'".into()
        );
    }
    if !profile.listener_path.is_empty() {
        return Err("'listenerPath' is not supported".into());
    }
    let kernel = version(kernel).unwrap_or_default();
    let mut syscalls = Vec::new();
    for call in profile.syscalls.into_iter().flatten() {
        let names = call.names.unwrap_or_default();
        if !call.name.is_empty() && !names.is_empty() {
            return Err("both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'".into());
        }
        let (included, excluded) = (call.includes.unwrap_or_default(), call.excludes.unwrap_or_default());
        if !included.holds(capabilities, kernel)? || excluded.any(capabilities, kernel)? {
            continue;
        }
        let names = if call.name.is_empty() { names } else { vec![call.name] };
        if names.is_empty() {
            return Err("a rule of the seccomp profile names no system call".into());
        }
        syscalls.push(Rule { names, action: call.action, errno_ret: call.errno_ret, args: call.args.unwrap_or_default() });
    }
    // None of the flags changes what a call may do.
    compile(&Filter {
        default_action: profile.default_action,
        default_errno_ret: profile.default_errno_ret,
        architectures: profile.architectures.unwrap_or_default(),
        flags: profile.flags.unwrap_or_default(),
        syscalls,
    })
    .map(|compiled| compiled.program)
}

/// The first two numbers.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(['.', '-', '+']).map(|part| part.parse::<u32>().ok());
    Some((parts.next()??, parts.next().flatten().unwrap_or(0)))
}

impl Condition {
    fn capability(name: &str) -> Result<u64, String> {
        caps::bit(name).ok_or_else(|| format!("unknown capability {name:?} in the seccomp profile"))
    }

    fn kernel(&self, kernel: (u32, u32)) -> Result<Option<bool>, String> {
        let Some(text) = self.min_kernel.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let least = version(text).ok_or_else(|| format!("invalid kernel version {text:?} in the seccomp profile"))?;
        Ok(Some(kernel >= least))
    }

    /// Every part that is given holds.
    fn holds(&self, capabilities: u64, kernel: (u32, u32)) -> Result<bool, String> {
        for name in self.caps.iter().flatten() {
            if capabilities & Self::capability(name)? == 0 {
                return Ok(false);
            }
        }
        let arches = self.arches.as_deref().unwrap_or_default();
        Ok((arches.is_empty() || arches.iter().any(|arch| arch == ARCH)) && self.kernel(kernel)?.unwrap_or(true))
    }

    /// One part that is given holds.
    fn any(&self, capabilities: u64, kernel: (u32, u32)) -> Result<bool, String> {
        for name in self.caps.iter().flatten() {
            if capabilities & Self::capability(name)? != 0 {
                return Ok(true);
            }
        }
        Ok(self.arches.iter().flatten().any(|arch| arch == ARCH) || self.kernel(kernel)?.unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use super::super::custom_tests::call;
    use super::super::names;
    use super::*;

    const PROFILE: &str = r#"{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],
        "syscalls":[{"names":["read","write"],"action":"SCMP_ACT_ALLOW","comment":"","includes":{},"excludes":{}},
        {"names":["mount"],"action":"SCMP_ACT_ALLOW","args":null,"includes":{"caps":["CAP_SYS_ADMIN"]}},
        {"names":["ptrace"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}},
        {"name":"chroot","action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_SYS_ADMIN"],"arches":["s390x"]}},
        {"names":["getpid"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["s390x"]}}]}"#;

    #[test]
    fn conditions_are_resolved() {
        let admin = caps::bit("SYS_ADMIN").unwrap();
        let allowed = |capabilities, kernel: &str| {
            let filter = docker_filter(PROFILE, capabilities, kernel).unwrap();
            let names = ["read", "mount", "ptrace", "chroot", "getpid"];
            names.map(|name| call(&filter, names::number(name).unwrap(), [0; 6]) == libc::SECCOMP_RET_ALLOW)
        };
        assert_eq!(allowed(0, "4.4.0-generic"), [true, false, false, true, false]);
        assert_eq!(allowed(admin, "6.1.2"), [true, true, true, false, false]);
    }

    #[test]
    fn bad_profiles_are_told() {
        for (json, why) in [
            ("{", "EOF"),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["a"],"archMap":[{}]}"#, "archMap"),
            (r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_KILL"}]}"#, "'names'"),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["b"],"action":"SCMP_ACT_KILL","includes":{"caps":["NOPE"]}}]}"#,
                "NOPE",
            ),
        ] {
            let error = docker_filter(json, 0, "6.1").unwrap_err();
            assert!(error.contains(why), "{json}: {error}");
        }
    }
}
