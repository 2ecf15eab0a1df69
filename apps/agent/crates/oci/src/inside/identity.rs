//! Who the program is and what it may do. The order matters: each step takes rights that a later one gives up.
use std::os::fd::AsFd;

use rustix::fs::{Gid, Uid};
use slipway_runtime::caps;
use slipway_runtime::inside::{Stage, Step, resource};
use slipway_runtime::seccomp::custom::Compiled;
use slipway_sys::caps::Sets;
use slipway_sys::{self as sys, Errno};

use crate::config::{Capabilities, Process, Rlimit};

/// The limits of the config, exactly or not at all: the spec wants an error where one cannot be kept.
pub fn set_limits(limits: &[Rlimit]) -> Step<()> {
    for limit in limits {
        let stage = format!("error setting rlimit type {}", limit.kind);
        let name = limit.kind.trim_start_matches("RLIMIT_").to_ascii_lowercase();
        let resource = resource(&name).ok_or("there is no such limit").stage(&stage)?;
        nix::sys::resource::setrlimit(resource, limit.soft, limit.hard).stage(&stage)?;
    }
    Ok(())
}

/// So that the program can open `/dev/stdout` again when it is not root. Devices that others use, too, stay as they are.
pub fn own_streams(uid: u32) -> Step<()> {
    let null = rustix::fs::stat("/dev/null").map(|stat| stat.st_rdev).ok();
    for fd in [std::io::stdin().as_fd(), std::io::stdout().as_fd(), std::io::stderr().as_fd()] {
        let Ok(stat) = rustix::fs::fstat(fd) else { continue };
        if stat.st_uid == uid || (stat.st_rdev != 0 && Some(stat.st_rdev) == null) {
            continue;
        }
        match rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), None::<Gid>) {
            Ok(()) | Err(rustix::io::Errno::PERM | rustix::io::Errno::INVAL | rustix::io::Errno::ROFS) => {}
            Err(error) => return Err(error).stage("own the standard streams"),
        }
    }
    Ok(())
}

/// Gives up everything the program shall not have.
pub fn confine(process: &Process, seccomp: Option<&Compiled>) -> Step<()> {
    if process.no_new_privileges {
        sys::process::set_no_new_privs().stage("set no_new_privs")?;
    }
    // Without no_new_privs loading a filter takes CAP_SYS_ADMIN, so it comes first.
    if let (Some(seccomp), false) = (seccomp, process.no_new_privileges) {
        load(seccomp)?;
    }
    let none = Capabilities::default();
    let wanted = process.capabilities.as_ref();
    let sets = wanted.unwrap_or(&none);
    let here = sys::caps::permitted().stage("read capabilities")?;
    if wanted.is_some() {
        sys::caps::limit_bounding(mask(&sets.bounding)).or_else(ignore_unprivileged).stage("limit the bounding set")?;
    }
    sys::process::set_keep_caps(true).stage("keep capabilities")?;
    let user = &process.user;
    sys::process::set_ids(user.uid, user.gid, &user.additional_gids).stage("change the user")?;
    match sys::caps::clear_ambient() {
        Ok(()) | Err(Errno::EINVAL) => {}
        Err(error) => return Err(error).stage("clear ambient capabilities"),
    }
    let permitted = mask(&sets.permitted) & here;
    let inheritable = mask(&sets.inheritable) & here;
    let effective = mask(&sets.effective) & permitted;
    sys::caps::set(Sets { effective, permitted, inheritable }).stage("set capabilities")?;
    sys::process::set_keep_caps(false).stage("drop kept capabilities")?;
    sys::caps::raise_ambient(mask(&sets.ambient) & permitted & inheritable).stage("raise ambient capabilities")
}

fn ignore_unprivileged(error: Errno) -> Result<(), Errno> {
    if error == Errno::EPERM { Ok(()) } else { Err(error) }
}

pub fn load(seccomp: &Compiled) -> Step<()> {
    sys::seccomp::install_with(&seccomp.program, seccomp.flags).stage("load the seccomp filter")
}

/// Names this kernel or we do not know are left out; `create` has warned of them.
pub fn mask(names: &[String]) -> u64 {
    names.iter().filter_map(|name| caps::bit(name)).fold(0, |set, bit| set | bit)
}
