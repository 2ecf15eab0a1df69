//! One file for each command.
pub mod create;
pub mod delete;
pub mod exec;
pub mod features;
pub mod kill;
pub mod look;
pub mod start;
