//! Solves a `BuildPlan`: ingests the context, runs and caches each vertex, exports an OCI image.
//!
//! [`Builder::start`] takes the tar stream of `POST /slipway/v1/builds` and gives a stream of [`event::BuildEvent`]s. What
//! runs a RUN is an [`executor::Executor`], which the agent implements over its container runtime.
#![forbid(unsafe_code)]

mod archive;
mod build;
mod builder;
mod cache;
mod cache_dirs;
mod cache_files;
mod cache_records;
mod context;
pub mod contexts;
mod copy;
#[cfg(test)]
mod copy_tests;
mod disk;
pub mod error;
pub mod event;
mod exec;
pub mod executor;
mod export;
mod fetch;
mod fileops;
mod files;
mod globs;
mod index;
mod intake;
mod key;
mod layer;
mod mode;
pub mod mount;
mod options;
mod origin;
mod output;
pub mod output_options;
pub mod overlay;
mod pattern;
pub mod plan;
mod plan_check;
mod reason;
mod repack;
mod run_mounts;
mod seal;
pub mod secrets;
mod select;
mod shared_cache;
mod sharing;
mod solver;
pub mod ssh_agent;
mod step;
mod stubs;
mod tarstream;
mod tree;
mod users;

pub use builder::{Builder, StartError};
pub use cache_records::{CacheRecord, CacheUsage, Pruned, RecordKind, Selection};
pub use disk::DiskSpace;
pub use options::BuilderOptions;
pub use overlay::open_readonly;
pub use users::UserFiles;
