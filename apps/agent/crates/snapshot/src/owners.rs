use crate::tar::Entry;

/// Ids of the host that files are seen with while a container with a user namespace runs. Archives tell the container's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owners {
    /// What stands for 0.
    pub uid: u32,
    pub gid: u32,
    pub count: u32,
}

/// Whom the kernel names where a container knows nobody.
const NOBODY: u32 = 65_534;
const CAPABILITY: &[u8] = b"security.capability";
/// `struct vfs_ns_cap_data` of linux/capability.h: the revision in the first word's highest byte, in revision 3 with the
/// root that the capabilities are for as the last word.
const REVISION: usize = 3;
const ROOT: usize = 20;

impl Owners {
    /// From what is seen to what is told.
    pub(crate) fn tell(self, entry: &mut Entry) {
        let inside = |id: u32, first: u32| id.checked_sub(first).filter(|id| *id < self.count).unwrap_or(NOBODY);
        (entry.uid, entry.gid) = (inside(entry.uid, self.uid), inside(entry.gid, self.gid));
        for (name, value) in &mut entry.xattrs {
            if name == CAPABILITY && value.len() > ROOT && value[ROOT..] == self.uid.to_le_bytes() {
                value.truncate(ROOT);
                value[REVISION] = 2;
            }
        }
    }

    /// From what was told to what is to be seen; false when the container has no such users.
    pub(crate) fn show(self, entry: &mut Entry) -> bool {
        for (name, value) in &mut entry.xattrs {
            if name == CAPABILITY && value.len() == ROOT && value[REVISION] == 2 {
                value.extend(self.uid.to_le_bytes());
                value[REVISION] = 3;
            }
        }
        let known = entry.uid < self.count && entry.gid < self.count;
        if known {
            (entry.uid, entry.gid) = (self.uid + entry.uid, self.gid + entry.gid);
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::EntryKind;

    fn entry(uid: u32, gid: u32, capability: &[u8]) -> Entry {
        Entry {
            path: b"x".to_vec(),
            link: Vec::new(),
            kind: EntryKind::File,
            mode: 0,
            uid,
            gid,
            size: 0,
            mtime: (0, 0),
            device: (0, 0),
            xattrs: vec![(CAPABILITY.to_vec(), capability.to_vec())],
            sparse: None,
        }
    }

    #[test]
    fn there_and_back() {
        let owners = Owners { uid: 100_000, gid: 200_000, count: 10 };
        let plain: Vec<u8> = [&[1, 0, 0, 2][..], &[9; 16]].concat();
        let of_root: Vec<u8> = [&[1, 0, 0, 3][..], &[9; 16], &100_000u32.to_le_bytes()].concat();
        let mut one = entry(3, 9, &plain);
        assert!(owners.show(&mut one));
        assert_eq!(one, entry(100_003, 200_009, &of_root));
        owners.tell(&mut one);
        assert_eq!(one, entry(3, 9, &plain));
        assert!(!owners.show(&mut entry(3, 10, &plain)));
        let mut strange = entry(0, 200_010, &plain);
        owners.tell(&mut strange);
        assert_eq!(strange, entry(NOBODY, NOBODY, &plain));
    }
}
