//! The log, the transaction and the lock against a hostile world.

mod lock;
mod log;
mod tx;
