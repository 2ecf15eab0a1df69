//! Images as files: `docker save` archives, OCI layouts, plain root file systems.

pub mod changes;
pub mod import;
pub mod load;
pub mod save;
