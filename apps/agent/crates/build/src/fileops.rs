//! COPY, ADD and WORKDIR on the files of a build. Everything here blocks.
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

use crate::archive;
use crate::build::Build;
use crate::context::Root;
use crate::copy::{Canceled, CopyError, Placement, copy, make_dirs};
use crate::error::{BuildError, ErrorCode, Result, is_disk_full};
use crate::exec::{short, user_files};
use crate::files::FileList;
use crate::key::selection_key;
use crate::layer::Output;
use crate::origin::Origin;
use crate::overlay;
use crate::plan::{CopyOp, Vertex};
use crate::select::{SelectError, Source, digest_files, select_for, source_at, source_named};
use crate::tree::Tree;

/// The checksums of what a COPY copies. What another vertex's files amount to is remembered by its output, so that it is
/// read once.
///
/// # Errors
/// `COPY_FAILED` naming the path that is missing.
pub fn checksums(build: &Build, vertex: &Vertex, op: &CopyOp, others: &[Output]) -> Result<FileList> {
    let mut others = others.iter();
    let mut lists = Vec::new();
    for part in op.parts() {
        let from = part.from.as_ref().and_then(|_| others.next());
        lists.push(part_checksums(build, vertex, &part, from)?);
    }
    let files = if lists.len() == 1 { lists.remove(0) } else { FileList::join(lists) };
    Ok(files.with_inline(&op.inline))
}

fn part_checksums(build: &Build, vertex: &Vertex, op: &CopyOp, from: Option<&Output>) -> Result<FileList> {
    if let Some(root) = build.sent(op.from.as_deref()) {
        let sources = select_for(&root.index, op).map_err(|error| select_error(build, vertex, op, &error))?;
        return Ok(FileList::new(&sources, false));
    }
    let output = from.ok_or_else(|| BuildError::internal("solving a copy", "what it copies from is not there"))?;
    let name = selection_key(&output.id, op);
    if let Some(files) = build.selection(&name)? {
        return Ok(files);
    }
    let view = output.view(&build.layers, &build.lease)?;
    let mut sources = select_for(&view.tree, op).map_err(|error| select_error(build, vertex, op, &error))?;
    digest_files(&view.tree, &mut sources, &|| build.stopped())
        .map_err(|error| if build.stopped() { BuildError::canceled() } else { select_error(build, vertex, op, &error) })?;
    let files = FileList::new(&sources, true);
    build.cache.remember(&build.scopes, "selections", &name, &files)?;
    Ok(files)
}

/// All that a context holds.
///
/// # Errors
/// `INTERNAL`.
pub fn whole(root: &Root) -> Result<FileList> {
    let all = source_at(&root.index, "/").map_err(|error| BuildError::internal("reading a context", error))?;
    Ok(FileList::new(&[all], false))
}

/// Copies; gives the upper directory that now holds the layer.
///
/// # Errors
/// `COPY_FAILED`, `DISK_FULL`, `CANCELED`, `INTERNAL`.
pub fn run_copy(build: &Build, vertex: &Vertex, op: &CopyOp, input: &Output, others: &[Output]) -> Result<PathBuf> {
    let step = build.prepare(vertex, input)?;
    let _counted = build.uses.count(vertex, vec![step.dirs.upper.clone()], Vec::new());
    let to = overlay::open_writable(&step.dirs).map(Tree::new).map_err(|error| BuildError::io("opening a step's files", &error))?;
    let owner = match op.chown.as_str() {
        "" => None,
        spec => {
            let files = user_files(&to).map_err(|error| BuildError::io("reading a step's files", &error))?;
            Some(files.owner(spec).map_err(|text| refused(vertex, &format!("{text}; check --chown")))?)
        }
    };
    let mode = op.chmod.as_deref().and_then(|mode| mode.parse().ok());
    // A context has no owners worth keeping; another vertex's do count.
    let owner_of = |part: &CopyOp| owner.or(build.sent(part.from.as_deref()).is_some().then_some((0, 0)));
    let mut others = others.iter();
    for part in op.parts() {
        let from = part.from.as_ref().and_then(|_| others.next());
        let owner = owner_of(&part);
        let placement = Placement { dest: op.dest.clone(), owner, mode: mode.clone() };
        copy_part(build, vertex, &part, from, &to, &placement)?;
    }
    let placement = Placement { dest: op.dest.clone(), owner: owner_of(op), mode };
    write_inline(build, vertex, op, &to, &placement).map_err(|error| copy_error(vertex, error))?;
    build.check_disk(vertex)?;
    Ok(step.dirs.upper)
}

fn copy_part(build: &Build, vertex: &Vertex, op: &CopyOp, from: Option<&Output>, to: &Tree, placement: &Placement) -> Result<()> {
    if op.sources.is_empty() {
        return Ok(());
    }
    match (build.sent(op.from.as_deref()), from) {
        (Some(root), _) => copy_from(build, vertex, op, root, to, placement),
        (None, None) => Err(BuildError::internal("copying files", "what is copied from is not there")),
        (None, Some(output)) => copy_from(build, vertex, op, &output.view(&build.layers, &build.lease)?.tree, to, placement),
    }
}

fn copy_from(build: &Build, vertex: &Vertex, op: &CopyOp, from: &(impl Origin + Sync), to: &Tree, placement: &Placement) -> Result<()> {
    let sources = select_for(from, op).map_err(|error| select_error(build, vertex, op, &error))?;
    let stopped = || build.stopped();
    let outcome = if op.extract { add(from, sources, to, placement, op, &stopped) } else { copy(from, &sources, to, placement, &stopped) };
    outcome.map_err(|error| copy_error(vertex, error))
}

/// Heredocs: files of a directory of their own, copied as any others are.
fn write_inline(build: &Build, vertex: &Vertex, op: &CopyOp, to: &Tree, placement: &Placement) -> Result<(), CopyError> {
    if op.inline.is_empty() {
        return Ok(());
    }
    let dir = build.dir.path().join("inline").join(&vertex.id);
    let failed = |error| CopyError::Io { path: placement.dest.clone().into(), error };
    std::fs::create_dir_all(&dir).map_err(failed)?;
    for file in &op.inline {
        let path = dir.join(&file.name);
        std::fs::write(&path, &file.data).map_err(failed)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
    }
    let tree = rustix::fs::open(&dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map(Tree::new);
    let tree = tree.map_err(|error| failed(error.into()))?;
    let sources: Result<Vec<Source>, SelectError> = op.inline.iter().map(|file| source_named(&tree, &file.name)).collect();
    let sources = sources.map_err(|error| CopyError::Refused(error.to_string()))?;
    copy(&tree, &sources, to, placement, &|| build.stopped())
}

/// ADD: archives are unpacked, everything else is copied.
fn add(
    from: &(impl Origin + Sync),
    sources: Vec<Source>,
    to: &Tree,
    placement: &Placement,
    op: &CopyOp,
    stopped: &Canceled<'_>,
) -> Result<(), CopyError> {
    let mut plain = Vec::new();
    for source in sources {
        if let Some(entry) = source.entries.first().filter(|entry| entry.kind == FileType::RegularFile) {
            let failed = |error| CopyError::Io { path: source.path.clone(), error };
            if let Some(reader) = archive::open(from.open(&source.path, entry).map_err(failed)?).map_err(failed)? {
                // The archive's own owners are kept, as Docker does, unless --chown is given.
                let owner = if op.chown.is_empty() { None } else { placement.owner };
                // In the order they are named: what comes later replaces what came before.
                if !plain.is_empty() {
                    copy(from, &std::mem::take(&mut plain), to, placement, stopped)?;
                }
                // `--chmod` is for files that are copied as they are, as with BuildKit.
                archive::unpack(reader, to, &Placement { owner, mode: None, ..placement.clone() }, stopped)?;
                continue;
            }
        }
        plain.push(source);
    }
    if plain.is_empty() { Ok(()) } else { copy(from, &plain, to, placement, stopped) }
}

/// WORKDIR; `None` when the directory was there.
///
/// # Errors
/// `COPY_FAILED` when something that is not a directory is in the way, `DISK_FULL`, `INTERNAL`.
pub fn run_mkdir(build: &Build, vertex: &Vertex, path: &str, user: &str, input: &Output) -> Result<Option<PathBuf>> {
    let view = input.view(&build.layers, &build.lease)?;
    let failed = |error: std::io::Error| BuildError::io("reading a step's files", &error);
    let existing = view.tree.stat_followed(Path::new(path)).map_err(failed)?;
    if existing.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory) {
        return Ok(None);
    }
    let owner = if user.is_empty() {
        (0, 0)
    } else {
        user_files(&view.tree).map_err(failed)?.owner(user).map_err(|text| refused(vertex, &format!("{text}; check USER")))?
    };
    drop(view);
    let step = build.prepare(vertex, input)?;
    let to = overlay::open_writable(&step.dirs).map(Tree::new).map_err(|error| BuildError::io("opening a step's files", &error))?;
    let placement = Placement { dest: path.to_owned(), owner: Some(owner), mode: None };
    make_dirs(&to, Path::new(path), &placement).map_err(|error| copy_error(vertex, error))?;
    Ok(Some(step.dirs.upper))
}

fn refused(vertex: &Vertex, text: &str) -> BuildError {
    BuildError::new(ErrorCode::CopyFailed, format!("`{}` (line {}) failed: {text}.", short(vertex), vertex.line))
}

fn select_error(build: &Build, vertex: &Vertex, op: &CopyOp, error: &SelectError) -> BuildError {
    match error {
        SelectError::Missing(path) => {
            let path = path.trim_start_matches('/');
            let (place, hint) = match (&op.from, build.sent(op.from.as_deref())) {
                (None, _) => ("in the build context", "check the path, and that .dockerignore does not leave it out"),
                (_, Some(_)) => ("in the context it is copied from", "check the path, and that .dockerignore does not leave it out"),
                _ => ("in the stage it is copied from", "check the path and the step that should make it"),
            };
            refused(vertex, &format!("`{path}` is not {place}; {hint}"))
        }
        SelectError::Pattern(_) => refused(vertex, &error.to_string()),
        SelectError::Io { path, error } if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            refused(vertex, &format!("`{}` leads through symbolic links that never end", path.display()))
        }
        SelectError::Io { error, .. } => BuildError::io("reading the files to copy", error),
    }
}

fn copy_error(vertex: &Vertex, error: CopyError) -> BuildError {
    match error {
        CopyError::Refused(text) => refused(vertex, &text),
        CopyError::Canceled => BuildError::canceled(),
        CopyError::Io { error, .. } if is_disk_full(&error) => BuildError::io("copying files", &error),
        CopyError::Io { path, error } => refused(vertex, &format!("`{}` could not be written: {error}", path.display())),
    }
}
