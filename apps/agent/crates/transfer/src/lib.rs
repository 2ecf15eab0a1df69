//! slipway-transfer
