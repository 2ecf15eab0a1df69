//! Registries: where they are, how to log in, and how images move between them and the store.

mod address;
mod artifact;
mod auth;
mod blob;
mod client;
mod distribution;
mod manifest;
mod pull;
mod push;
mod redirect;
mod session;
mod upload;

pub use address::Registries;
pub use artifact::{Artifact, LayerSource, PushedArtifact};
pub use auth::Credentials;
pub use client::{Client, Timeouts};
pub use distribution::Distribution;
pub use pull::{Pull, Pulled};
pub use push::{Push, Pushed};
