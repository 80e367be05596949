//! Settings and prompts that changed while an attempt was open are an agent's doing: the next run
//! must not take them as its terms.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{HostDriver, open};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::site::Site;
use crate::engine::id::{Digest, ObjectId};
use crate::host::files::{self, FileError};
use crate::host::objects::Objects;
use crate::host::paths::Layout;
use crate::host::prompts::PromptName;
use crate::host::world::digest;

/// A larger file is refused where it is read as what it is.
const BYTES_MAX: u64 = 1 << 20;

/// The name of the user's own settings among the files below the state directory. Whether they are
/// missing or empty is the same.
const USER: &str = "~/config.toml";

/// The files below the state directory that decide how a run is carried out.
fn names() -> impl Iterator<Item = String> {
    let prompts = PromptName::ALL.iter().map(|name| format!("prompts/{}", name.file_name()));
    std::iter::once("config.toml".to_owned()).chain(prompts)
}

/// Keeps the settings of a run, and says what they are: each file with its digest.
///
/// # Errors
/// One cannot be read or kept.
pub(super) fn pin(
    driver: &mut HostDriver,
    site: &Site,
    layout: &Layout,
) -> Result<BTreeMap<String, Digest>, Failure> {
    let mut pinned = BTreeMap::new();
    for name in names() {
        match files::read_bounded(&layout.state().join(&name), BYTES_MAX) {
            Ok(bytes) => {
                driver.world.objects().put(&bytes)?;
                pinned.insert(name, digest(&bytes));
            }
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(path) = site.user_file() {
        // What it says may be nobody else's business: its digest is enough.
        pinned.insert(USER.to_owned(), digest(&read_user(&path)?));
    }
    Ok(pinned)
}

/// Brings the settings back that the attempt was begun under that a dead run left open. What stands
/// in their place is set aside. Returns a refusal where what they were is not kept any more.
///
/// # Errors
/// Something cannot be moved or written.
pub(super) fn put_back(
    site: &Site,
    layout: &Layout,
    pinned: &BTreeMap<String, Digest>,
    notes: &mut Vec<String>,
) -> Result<Option<Failure>, Failure> {
    let is_whole = |name: &String| digest_of(layout, name).as_ref() == pinned.get(name);
    // What a link leads to may be gone once the work tree is rolled back.
    if fs::symlink_metadata(layout.prompts()).is_ok_and(|found| !found.is_dir()) {
        set_aside(layout, "prompts", notes)?;
    }
    let objects = Objects::new(layout.objects());
    let mut refusal = None;
    for name in names() {
        let path = layout.state().join(&name);
        let found = fs::symlink_metadata(&path).ok();
        if is_whole(&name) && (found.is_none() || pinned.contains_key(&name)) {
            continue;
        }
        let mode = open::mode_of(&path);
        if found.is_some() {
            set_aside(layout, &name, notes)?;
        } else {
            notes.push(format!("{} was removed while an attempt was open", path.display()));
        }
        let Some(wanted) = pinned.get(&name) else { continue };
        match objects.get(&ObjectId::new(wanted.as_str()), BYTES_MAX) {
            Ok(bytes) => {
                files::create_dir(files::parent_of(&path))?;
                files::write_atomic(&path, &bytes, mode)?;
            }
            Err(_) => refusal = Some(unknown(&path)),
        }
    }
    if let Some((path, wanted)) = site.user_file().zip(pinned.get(USER)) {
        refusal = refusal.or_else(|| refuse_user(&path, wanted));
    }
    Ok(refusal)
}

/// The file of the user is for all projects, and whoever changed it may be its owner: the run does
/// not go by it before somebody has looked, and it is left as it is.
fn refuse_user(path: &Path, wanted: &Digest) -> Option<Failure> {
    if read_user(path).is_ok_and(|found| digest(&found) == *wanted) {
        return None;
    }
    let what = format!("{} was changed while an attempt was open", path.display());
    let help = "the attempt is settled; look whether the file is as you want it, then run again";
    Some(Failure::new(Exit::Refused, what).help(help))
}

fn read_user(path: &Path) -> Result<Vec<u8>, FileError> {
    match files::read_bounded(path, BYTES_MAX) {
        Err(error) if error.is_missing() => Ok(Vec::new()),
        read => read,
    }
}

fn digest_of(layout: &Layout, name: &str) -> Option<Digest> {
    let bytes = files::read_bounded(&layout.state().join(name), BYTES_MAX);
    bytes.ok().map(|bytes| digest(&bytes))
}

fn set_aside(layout: &Layout, name: &str, notes: &mut Vec<String>) -> Result<(), Failure> {
    let path = layout.state().join(name);
    let file_name = Path::new(name).file_name().unwrap_or_default().display();
    let aside = open::set_aside(layout, &path, |id| format!("found-{id}-{file_name}"))?;
    notes.push(format!(
        "{} was changed while an attempt was open; what was there is kept as {}",
        path.display(),
        aside.display()
    ));
    Ok(())
}

fn unknown(path: &Path) -> Failure {
    let what = format!(
        "{} was changed while an attempt was open, and what it said is not kept any more",
        path.display()
    );
    Failure::new(Exit::Refused, what)
        .help("the attempt is settled, and the file is set aside: put it back if it is yours")
}
