//! The repository: snapshot, freeze, commit, rollback.
//!
//! What is judged is what is committed. A [`Snapshot`] keeps everything an attempt could harm; a
//! [`Frozen`] candidate is the one tree that gates look at; [`Git::publish`] moves the branch to
//! exactly that tree, or [`Git::rollback`] brings everything back, byte for byte.
//!
//! | file | what |
//! | --- | --- |
//! | `worktree` | [`Git`]: one repository, and what is remembered between calls |
//! | `repo`, `object`, `oid`, `tree` | libgit2, named in `repo` alone; objects and their names |
//! | `index`, `tracked`, `known` | the index file; what git tracks |
//! | `request`, `scan`, `content`, `nested`, `mirror` | the work tree: walked, read, and in memory |
//! | `ignores`, `wildmatch`, `eol` | what git ignores, and how it changes line endings |
//! | `preflight`, `dirty` | may a run start, and is everything committed |
//! | `snapshot`, `meta`, `guarded` | the state before an attempt |
//! | `guard`, `dotgit`, `refs` | what is put back under `.git` |
//! | `freeze` | the candidate |
//! | `rollback`, `restore`, `disk` | the way back |
//! | `alteration` | what one process changed, and the same change elsewhere |
//! | `publish`, `recover` | the commit, and what a crash leaves of it |
//! | `diff`, `checkout`, `init`, `history`, `chronicle` | showing trees, writing them elsewhere, beginning, looking back |
//!
//! An attempt calls `snapshot`, then after every child process `touched`, then `freeze`,
//! `clean_to` after verify and critic, and in the end `prepare_commit` and `publish`, or
//! `rollback`. Ignored files are never touched, and neither are repositories that were there
//! before.

mod alteration;
mod checkout;
mod chronicle;
mod content;
mod diff;
mod dirty;
mod disk;
mod dotgit;
mod eol;
mod error;
mod freeze;
mod guard;
mod guarded;
mod history;
mod ignores;
mod index;
mod init;
mod known;
mod link;
mod meta;
mod mirror;
mod nested;
mod object;
mod oid;
mod preflight;
mod publish;
mod recover;
mod reflog;
mod refs;
mod repo;
mod request;
mod restore;
mod rollback;
mod scan;
mod snapshot;
mod trace;
mod tracked;
mod tree;
mod wildmatch;
mod worktree;

pub use alteration::{Became, Make, Sighting, make_again};
pub use checkout::Absent;
pub use chronicle::{Chronicle, Delta, Told};
pub use diff::{Added, Patch};
pub use dirty::Dirt;
pub use error::{Blame, GitError, LibraryError, Refusal};
pub use freeze::{Change, ChangeKind, Frozen, Special};
pub use guard::Rescue;
pub use init::Beginning;
pub use mirror::SpecialKind;
pub use publish::{Identity, Prepared, Published, When};
pub use recover::At;
pub use rollback::Restored;
pub use snapshot::{Parts, Snapshot};
pub use trace::{Origin, Tips, Trace};
pub use worktree::Git;
