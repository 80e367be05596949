//! One test binary: linking libgit2 and sled once is enough.

mod child;
mod demo;
mod machine;
mod schemas;
mod scripted_world;
