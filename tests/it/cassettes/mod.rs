//! Tapes: what agents did once is told again without them, and gives the same events.

mod kit;
mod refused;
mod same_events;
