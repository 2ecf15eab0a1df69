//! What registries and downloads share: where an address lies, TLS, and bodies that must keep coming.

pub(crate) mod body;
pub(crate) mod depth;
pub(crate) mod pace;
pub(crate) mod place;
pub(crate) mod tls;
