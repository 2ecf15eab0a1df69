//! Solves a `BuildPlan`: ingests the context, runs and caches each vertex, exports an OCI image.
#![forbid(unsafe_code)]

pub mod error;
pub mod event;
pub mod executor;
mod overlay;
mod pattern;
pub mod plan;
mod tree;
mod users;
