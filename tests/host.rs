//! The log, the transaction and the lock against a hostile world.

#[cfg(test)]
mod host {
    mod lock;
    mod log;
    mod tx;
}
