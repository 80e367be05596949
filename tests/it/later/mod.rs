//! What shows later whether a PASS deserved it: run again, looked at again, broken on purpose.

mod facts;
mod mutate;
mod reverify;
