//! Who the program runs as: names are looked up in the container's own `/etc/passwd` and `/etc/group`.
use std::io::Read;

use super::{EXIT_ENGINE, Step, StepError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
}

struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// An image may hold anything under these names; more than this is no user database.
const LIMIT: u64 = 4 << 20;

/// The largest id, as with Docker. All ones would mean "leave it as it is" to the kernel, and that is root.
const LARGEST_ID: u32 = i32::MAX as u32;

/// Called inside the container's root, so that a symlink leads nowhere else.
pub(crate) fn resolve(user: &str, extra_groups: &[String]) -> Step<Identity> {
    let identity = resolve_any(user, extra_groups)?;
    let ids = [identity.uid, identity.gid];
    if ids.iter().chain(&identity.groups).any(|id| *id > LARGEST_ID) {
        return Err(StepError {
            stage: "find the user".into(),
            message: format!("the user {user} has an id above {LARGEST_ID}"),
            exit_code: EXIT_ENGINE,
        });
    }
    Ok(identity)
}

fn resolve_any(user: &str, extra_groups: &[String]) -> Step<Identity> {
    let needs_files = !(user.is_empty() || user == "0" || user == "0:0") || !extra_groups.is_empty();
    let (passwd, group) = match needs_files {
        true => (read("/etc/passwd"), read("/etc/group")),
        // root needs only the home directory and root's memberships, which minimal images do not have.
        false => (read("/etc/passwd"), String::new()),
    };
    lookup(user, extra_groups, &passwd, &group)
}

fn read(path: &str) -> String {
    use std::os::unix::fs::OpenOptionsExt;
    // Non-blocking, because it could be a FIFO; a missing or odd file is an empty database.
    let Ok(file) = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path) else {
        return String::new();
    };
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return String::new();
    }
    let mut bytes = Vec::new();
    match file.take(LIMIT).read_to_end(&mut bytes) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// The home directory of the user with this number, `/` when it has none. Called inside the container's root.
pub fn home(uid: u32) -> String {
    let home = users(&read("/etc/passwd")).find(|user| user.uid == uid).map(|user| user.home);
    home.filter(|home| !home.is_empty()).unwrap_or_else(|| "/".into())
}

fn users(text: &str) -> impl Iterator<Item = User> + '_ {
    text.lines().filter_map(|line| {
        let mut f = line.split(':');
        let (name, _, uid, gid, _, home) = (f.next()?, f.next()?, f.next()?, f.next()?, f.next(), f.next());
        Some(User { name: name.into(), uid: uid.parse().ok()?, gid: gid.parse().ok()?, home: home.unwrap_or("/").into() })
    })
}

fn groups(text: &str) -> impl Iterator<Item = Group> + '_ {
    text.lines().filter_map(|line| {
        let mut f = line.split(':');
        let (name, _, gid, members) = (f.next()?, f.next()?, f.next()?, f.next().unwrap_or(""));
        let members = members.split(',').filter(|m| !m.is_empty()).map(String::from).collect();
        Some(Group { name: name.into(), gid: gid.parse().ok()?, members })
    })
}

fn unknown(what: &str, name: &str) -> StepError {
    let file = if what == "user" { "passwd" } else { what };
    StepError {
        stage: "find the user".into(),
        message: format!("unable to find {what} {name}: no matching entries in {file} file"),
        exit_code: EXIT_ENGINE,
    }
}

fn lookup(user: &str, extra_groups: &[String], passwd: &str, group: &str) -> Step<Identity> {
    let (wanted_user, wanted_group) = match user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (user, None),
    };
    let wanted_user = if wanted_user.is_empty() { "0" } else { wanted_user };
    let number: Option<u32> = wanted_user.parse().ok();
    // A name wins over a number, as a user may be called "1000".
    let entry = users(passwd).find(|u| u.name == wanted_user).or_else(|| users(passwd).find(|u| Some(u.uid) == number));
    let (uid, mut gid, home, name) = match (&entry, number) {
        (Some(entry), _) => (entry.uid, entry.gid, entry.home.clone(), Some(entry.name.clone())),
        (None, Some(uid)) => (uid, 0, "/".to_owned(), None),
        (None, None) => return Err(unknown("user", wanted_user)),
    };
    let find_group = |wanted: &str| {
        let by_name = groups(group).find(|g| g.name == wanted).map(|g| g.gid);
        by_name.or_else(|| wanted.parse().ok()).ok_or_else(|| unknown("group", wanted))
    };
    // With the primary group: setgroups replaces all of them, and a group that is only primary could be dropped by a program
    // to get at what the group is denied (CVE-2022-36109).
    let mut memberships = Vec::new();
    match wanted_group.filter(|g| !g.is_empty()) {
        // An explicit group replaces the user's memberships.
        Some(wanted) => gid = find_group(wanted)?,
        None => {
            if let Some(name) = &name {
                memberships.extend(groups(group).filter(|g| g.members.contains(name)).map(|g| g.gid));
            }
        }
    }
    for wanted in extra_groups {
        memberships.push(find_group(wanted)?);
    }
    memberships.push(gid);
    memberships.sort_unstable();
    memberships.dedup();
    let home = if home.is_empty() { "/".into() } else { home };
    Ok(Identity { uid, gid, groups: memberships, home })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\nbroken\n77:x:5:5::/odd:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nnode:x:1000:\ndocker:x:999:node,other\n";

    fn get(user: &str, extra: &[&str]) -> Step<(u32, u32, Vec<u32>, String)> {
        let extra: Vec<String> = extra.iter().map(|s| (*s).into()).collect();
        lookup(user, &extra, PASSWD, GROUP).map(|i| (i.uid, i.gid, i.groups, i.home))
    }

    #[test]
    fn every_form() {
        assert_eq!(get("", &[]).unwrap(), (0, 0, vec![0], "/root".into()));
        assert_eq!(get("node", &[]).unwrap(), (1000, 1000, vec![999, 1000], "/home/node".into()));
        assert_eq!(get("1000", &[]).unwrap(), (1000, 1000, vec![999, 1000], "/home/node".into()));
        assert_eq!(get("node:docker", &[]).unwrap(), (1000, 999, vec![999], "/home/node".into()));
        assert_eq!(get("4242:17", &["docker", "3"]).unwrap(), (4242, 17, vec![3, 17, 999], "/".into()));
        assert_eq!(get("77", &[]).unwrap().0, 5);
        assert!(get("nobody", &[]).unwrap_err().message.contains("unable to find user nobody"));
        assert!(get("node:nope", &[]).unwrap_err().message.contains("unable to find group nope"));
    }
}
