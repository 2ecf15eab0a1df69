//! slipway-snapshot
