//! What holds for every container holds for one whose root is nobody to the host: other files' tests, with a user namespace
//! for each container. Left out are those about what does not go with one.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::duplicate_mod)] // each file has its own support

#[path = "attach.rs"]
mod attach;
#[path = "commit.rs"]
mod commit;
#[path = "cp.rs"]
mod cp;
#[path = "escapes.rs"]
mod escapes;
#[path = "exec.rs"]
mod exec;
#[path = "health.rs"]
mod health;
#[path = "isolation.rs"]
mod isolation;
#[path = "lifecycle.rs"]
mod lifecycle;
#[path = "limits.rs"]
mod limits;
#[path = "networks.rs"]
mod networks;
#[path = "networks_dns.rs"]
mod networks_dns;
#[path = "networks_traffic.rs"]
mod networks_traffic;
#[path = "shared.rs"]
mod shared;
#[path = "update.rs"]
mod update;
#[path = "volumes.rs"]
mod volumes;
