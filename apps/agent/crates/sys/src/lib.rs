//! slipway-sys
