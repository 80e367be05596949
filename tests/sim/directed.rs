//! Runs that are laid out by hand.
