//! One test binary: linking libgit2 and sled once is enough.

mod machine;
mod scripted_world;
