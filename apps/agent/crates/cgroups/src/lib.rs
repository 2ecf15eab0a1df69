//! slipway-cgroups
