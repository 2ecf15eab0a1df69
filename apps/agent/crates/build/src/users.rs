//! Users and groups of an image, looked up in its own /etc/passwd and /etc/group. The rules are Docker's: a name wins
//! over a number, a number need not be listed, an unlisted name is an error.
use crate::executor::ExecUser;

/// As with Docker. All ones would mean "leave it as it is" to the kernel, and that is root.
const LARGEST_ID: u32 = i32::MAX as u32;

/// The two files' contents; empty when the image has none.
#[derive(Debug, Default, Clone)]
pub struct UserFiles {
    pub passwd: String,
    pub group: String,
}

struct PasswdLine<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl UserFiles {
    /// Resolves `` | uid | name | uid:gid | name:group for a process.
    ///
    /// # Errors
    /// A sentence that names the user or group that is not in the image.
    pub fn resolve(&self, spec: &str) -> Result<ExecUser, String> {
        let (user, group) = split(spec);
        let mut resolved = ExecUser { home: "/".into(), ..ExecUser::default() };
        let wanted = if user.is_empty() { "0" } else { user };
        let mut name = None;
        if let Some(line) = self.find_user(wanted) {
            (resolved.uid, resolved.gid, resolved.home) = (line.uid, line.gid, line.home.to_owned());
            name = Some(line.name);
        } else {
            resolved.uid = wanted.parse().map_err(|_| format!("the user `{wanted}` is not in the image's /etc/passwd"))?;
        }
        match group {
            Some(group) => resolved.gid = self.gid(group)?,
            None => {
                if let Some(name) = name {
                    resolved.additional_gids = self.groups_of(name, resolved.gid);
                }
            }
        }
        let ids = [resolved.uid, resolved.gid];
        match ids.iter().chain(&resolved.additional_gids).find(|id| **id > LARGEST_ID) {
            Some(id) => Err(format!("the id {id} is above {LARGEST_ID}")),
            None => Ok(resolved),
        }
    }

    /// Owner for `--chown`: (uid, gid). Without a group, a number is its own group (`10` is 10:10, whatever
    /// /etc/passwd says) and a name brings its primary group, as in BuildKit.
    ///
    /// # Errors
    /// As [`UserFiles::resolve`].
    pub fn owner(&self, spec: &str) -> Result<(u32, u32), String> {
        let (user, group) = split(spec);
        let (uid, primary) = match user.parse::<u32>() {
            Ok(uid) => (uid, uid),
            Err(_) => {
                let line = self.find_user(user).ok_or_else(|| format!("the user `{user}` is not in the image's /etc/passwd"))?;
                (line.uid, line.gid)
            }
        };
        let gid = group.map_or(Ok(primary), |group| self.gid(group))?;
        match uid.max(gid) {
            id if id > LARGEST_ID => Err(format!("the id {id} is above {LARGEST_ID}")),
            _ => Ok((uid, gid)),
        }
    }

    fn find_user(&self, wanted: &str) -> Option<PasswdLine<'_>> {
        let number: Option<u32> = wanted.parse().ok();
        let lines = || self.passwd.lines().filter_map(passwd_line);
        lines().find(|line| line.name == wanted).or_else(|| lines().find(|line| Some(line.uid) == number))
    }

    fn gid(&self, group: &str) -> Result<u32, String> {
        let named = self.group.lines().filter_map(group_line).find(|(name, ..)| *name == group);
        match named {
            Some((_, gid, _)) => Ok(gid),
            None => group.parse().map_err(|_| format!("the group `{group}` is not in the image's /etc/group")),
        }
    }

    fn groups_of(&self, user: &str, primary: u32) -> Vec<u32> {
        let mut gids: Vec<u32> = self
            .group
            .lines()
            .filter_map(group_line)
            .filter(|(_, gid, members)| *gid != primary && members.split(',').any(|member| member.trim() == user))
            .map(|(_, gid, _)| gid)
            .collect();
        gids.dedup();
        gids
    }
}

fn split(spec: &str) -> (&str, Option<&str>) {
    match spec.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (spec, None),
    }
}

fn passwd_line(line: &str) -> Option<PasswdLine<'_>> {
    let mut fields = line.split(':');
    let (name, _, uid, gid, _, home) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    Some(PasswdLine { name, uid: uid.parse().ok()?, gid: gid.parse().ok()?, home })
}

fn group_line(line: &str) -> Option<(&str, u32, &str)> {
    let mut fields = line.split(':');
    let (name, _, gid) = (fields.next()?, fields.next()?, fields.next()?);
    Some((name, gid.parse().ok()?, fields.next().unwrap_or("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> UserFiles {
        UserFiles {
            passwd: "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\n42:x:7:8::/seven:/bin/sh\nbroken line\n".into(),
            group: "root:x:0:root\nwheel:x:10:root,app\napp:x:1001:\nweb:x:33:app\n".into(),
        }
    }

    #[test]
    fn resolves_processes() {
        let files = files();
        let app = files.resolve("app").unwrap();
        assert_eq!((app.uid, app.gid, app.additional_gids.as_slice(), app.home.as_str()), (1000, 1001, &[10, 33][..], "/home/app"));
        let root = files.resolve("").unwrap();
        assert_eq!((root.uid, root.gid, root.home.as_str()), (0, 0, "/root"));
        assert_eq!(files.resolve("app:web").unwrap().gid, 33);
        assert!(files.resolve("app:web").unwrap().additional_gids.is_empty());
        let unlisted = files.resolve("5000:6000").unwrap();
        assert_eq!((unlisted.uid, unlisted.gid, unlisted.home.as_str()), (5000, 6000, "/"));
        assert_eq!(files.resolve("42").unwrap().uid, 7, "a name wins over a number");
        assert!(files.resolve("nobody").unwrap_err().contains("nobody"));
        assert!(files.resolve("app:nogroup").unwrap_err().contains("nogroup"));
    }

    #[test]
    fn resolves_owners() {
        let files = files();
        assert_eq!(files.owner("app"), Ok((1000, 1001)));
        assert_eq!(files.owner("app:wheel"), Ok((1000, 10)));
        assert_eq!(files.owner("1000"), Ok((1000, 1000)));
        assert_eq!(files.owner("10:11"), Ok((10, 11)));
        assert!(UserFiles::default().owner("app").is_err());
    }
}
