//! Tapes: what agents did once is told again without them, and gives the same events.

mod any_run;
mod kit;
mod refused;
mod same_events;
