//! Processes that want the same lock.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use looper::host::lock::{Lock, LockError, Owner, is_held, read_owner};

const PATH: &str = "LOOPER_TEST_LOCK";
const RACERS: usize = 20;

/// Not a test: what each of the racing processes does. The winner waits for the end of its input.
#[test]
#[ignore = "started by the race"]
fn racer() {
    let path = std::env::var_os(PATH).expect("only the race starts it");
    match Lock::take(Path::new(&path), &Owner::this_process("racer", None)) {
        Ok(_lock) => {
            println!("\nRACE held by {}", std::process::id());
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        Err(LockError::Held { owner, .. }) => println!("\nRACE held by {}", owner.pid.unwrap()),
        Err(error) => panic!("{error}"),
    }
}

fn start(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "host::lock::racer", "--ignored", "--nocapture"])
        .env(PATH, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn outcome(output: &mut BufReader<ChildStdout>) -> u32 {
    let mut lines = output.lines().map(Result::unwrap);
    lines.find_map(|line| line.strip_prefix("RACE held by ")?.parse().ok()).unwrap()
}

/// A process that is being started holds copies of all our files until it runs its program.
fn is_given_back(path: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_held(path).unwrap() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

/// Proves that at most one process writes.
#[test]
fn one_of_many_processes_gets_the_lock_and_the_others_name_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let mut children: Vec<Child> = (0..RACERS).map(|_| start(&path)).collect();
    let mut outputs: Vec<_> =
        children.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap())).collect();
    let named: Vec<u32> = outputs.iter_mut().map(outcome).collect();
    let winner = named[0];
    assert_eq!(named, vec![winner; RACERS]);
    assert!(is_held(&path).unwrap());
    for child in &mut children {
        if child.id() == winner {
            assert!(read_owner(&path).unwrap().unwrap().is_running_here());
            child.kill().unwrap();
        }
        child.wait().unwrap();
    }
    assert!(is_given_back(&path), "the system gives back what a killed process held");
    assert!(!read_owner(&path).unwrap().unwrap().is_running_here());
    drop(Lock::take(&path, &Owner::this_process("next", None)).unwrap());
}

/// Proves that an agent which outlives its run keeps nobody out.
#[test]
fn a_child_process_does_not_inherit_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let lock = Lock::take(&path, &Owner::default()).unwrap();
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    drop(lock);
    assert!(is_given_back(&path));
    drop(child.stdin.take());
    child.wait().unwrap();
}
