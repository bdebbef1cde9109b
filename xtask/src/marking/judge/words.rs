//! What several rules speak in.

/// Between an age that was told and the same age by the volume's clock: that clock, the time
/// of the file and the age may each be in whole seconds.
pub const AGE_TOLERANCE: f64 = 2.0;

/// What the machine leaves of workshop 2: its text.
pub const RUNBOOK: f64 = 0.5;

pub fn seconds(value: f64) -> String {
    terms::lang::decimal(value, 1)
}
