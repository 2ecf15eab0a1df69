//! Solves a `BuildPlan`: ingests the context, runs and caches each vertex, exports an OCI image.
#![forbid(unsafe_code)]

pub mod executor;
