//! Goes through a context, from its root to its last file, within the limits of one.
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use slipway_store::Digest;

use super::object::{Kind, parse};
use super::{Committed, ContextError, MAX_BYTES, MAX_ENTRIES, Missing, Scope};

const MAX_DEPTH: usize = 200;
const MAX_PATH: usize = 4000;
/// Of one directory; 200,000 entries with names of some length.
pub const MAX_OBJECT: u64 = 64 << 20;
/// Told of at once; the client asks again for the rest.
const MAX_MISSING: usize = 20_000;

/// Seconds and nanoseconds.
pub type Time = (i64, i64);

/// The directory that an entry stands in.
pub struct Listing {
    pub digest: Digest,
    /// When it came first.
    pub time: Time,
}

type Visit<'a> = dyn FnMut(&Path, &Kind<'_>, &Listing) -> Result<(), ContextError> + 'a;

/// Calls `visit` for everything but the root, directories before what they hold. An object that is named many times counts
/// each time: a small upload must not stand for a huge context.
///
/// # Errors
/// `Incomplete` at the first directory that is not there; `Refused`; what `visit` returns.
pub fn walk(scope: &Scope, root: &Digest, visit: &mut Visit<'_>) -> Result<(), ContextError> {
    let mut missing = Missing::default();
    walk_all(scope, root, visit, &mut missing)?;
    if missing.trees.is_empty() { Ok(()) } else { Err(ContextError::Incomplete(missing)) }
}

/// Whether everything of a context is there. `known`: directories whose own files were all there before, as they are as long as
/// nothing is removed; those that are found to be so come to them.
///
/// # Errors
/// `Incomplete` with all that is missing; `Refused`.
pub fn check(scope: &Scope, root: &Digest, known: &mut HashSet<Digest>) -> Result<Committed, ContextError> {
    let mut missing = Missing::default();
    let mut lacking = Vec::new();
    let (mut seen, mut entries, mut bytes) = (HashSet::new(), 0, 0);
    let mut looked: HashSet<Digest> = HashSet::new();
    let mut visit = |path: &Path, kind: &Kind<'_>, listing: &Listing| {
        entries += 1;
        let Kind::File { size, digest, .. } = kind else { return Ok(()) };
        bytes += size;
        if known.contains(&listing.digest) || !seen.insert((*digest, *size)) {
            return Ok(());
        }
        looked.insert(listing.digest);
        match fs::metadata(scope.blob(digest)) {
            Ok(meta) if meta.len() == *size => {}
            Ok(_) => return Err(ContextError::Refused(format!("`{}` has another size than its directory says.", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if lacking.len() < MAX_MISSING {
                    lacking.push(digest.hex());
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    };
    walk_all(scope, root, &mut visit, &mut missing)?;
    missing.blobs = lacking;
    if missing.trees.is_empty() && missing.blobs.is_empty() {
        known.extend(looked);
        Ok(Committed { entries, bytes })
    } else {
        Err(ContextError::Incomplete(missing))
    }
}

fn walk_all(scope: &Scope, root: &Digest, visit: &mut Visit<'_>, missing: &mut Missing) -> Result<(), ContextError> {
    let (mut entries, mut bytes) = (0u64, 0u64);
    let mut open = vec![(PathBuf::new(), *root, 0)];
    while let Some((path, digest, depth)) = open.pop() {
        let Some((object, time)) = read(scope, &digest)? else {
            if missing.trees.len() < MAX_MISSING && !missing.trees.contains(&digest.hex()) {
                missing.trees.push(digest.hex());
            }
            continue;
        };
        let listing = Listing { digest, time };
        let mut below = Vec::new();
        for entry in parse(&object).map_err(|what| broken(&path, what))? {
            let path = path.join(entry.name);
            entries += 1;
            if let Kind::File { size, .. } = entry.kind {
                bytes = bytes.saturating_add(size);
            }
            within(&path, depth, entries, bytes)?;
            visit(&path, &entry.kind, &listing)?;
            if let Kind::Dir { digest, .. } = entry.kind {
                below.push((path, digest, depth + 1));
            }
        }
        open.extend(below.into_iter().rev());
    }
    Ok(())
}

fn within(path: &Path, depth: usize, entries: u64, bytes: u64) -> Result<(), ContextError> {
    let told = "leave what the build does not need out with .dockerignore.";
    if entries > MAX_ENTRIES {
        return Err(ContextError::Refused(format!("The build context has more than 200,000 entries; {told}")));
    }
    if bytes > MAX_BYTES {
        return Err(ContextError::Refused(format!("The build context is larger than 2 GiB; {told}")));
    }
    if depth >= MAX_DEPTH || path.as_os_str().as_bytes().len() > MAX_PATH {
        let shown: String = path.display().to_string().chars().take(200).collect();
        return Err(ContextError::Refused(format!("The build context has directories too deep in each other, at `{shown}…`.")));
    }
    Ok(())
}

/// A directory's object, and when it came; `None` when it is not there.
fn read(scope: &Scope, digest: &Digest) -> io::Result<Option<(Vec<u8>, Time)>> {
    let mut file = match File::open(scope.tree(digest)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let stat = file.metadata()?;
    let mut object = Vec::with_capacity(usize::try_from(stat.len()).unwrap_or(0) + 1);
    file.read_to_end(&mut object)?;
    Ok(Some((object, (stat.mtime(), stat.mtime_nsec()))))
}

fn broken(path: &Path, what: &str) -> ContextError {
    ContextError::Refused(format!("The directory `{}` of the build context is not valid: {what}.", path.display()))
}
