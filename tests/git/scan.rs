//! How much a scan reads.

use std::fs;

use crate::support::{Fixture, attempt, commit, letters, settle};

/// A repository with twenty thousand files.
fn large() -> Fixture {
    let fixture = Fixture::empty();
    for dir in 0..200 {
        let at = fixture.root.join(format!("d{}/s{}", dir / 20, dir % 20));
        fs::create_dir_all(&at).unwrap();
        for file in 0..100 {
            fs::write(at.join(format!("f{file}.txt")), format!("{dir} {file}\n")).unwrap();
        }
    }
    fixture.write(".gitignore", "target/\n");
    fixture.git(&["config", "gc.auto", "0"]);
    fixture.git(&["config", "core.looseCompression", "0"]);
    settle();
    fixture.commit_all("many");
    fixture
}

#[test]
fn unchanged_files_are_not_read() {
    let fixture = large();
    settle();
    let mut git = fixture.open();
    assert!(git.dirty().unwrap().is_empty());
    assert_eq!(git.files_read(), 0);
    let (snapshot, frozen) = attempt(&fixture, &mut git, |it| {
        it.write("d3/s3/f3.txt", "changed\n");
        it.write("d3/s3/new.txt", "new\n");
        it.remove("d4/s4/f4.txt");
    });
    assert_eq!(letters(&frozen), ["M d3/s3/f3.txt", "A d3/s3/new.txt", "D d4/s4/f4.txt"]);
    assert_eq!(git.files_read(), 2);
    settle();
    git.touched();
    git.clean_to(&snapshot, &frozen).unwrap();
    commit(&mut git, &snapshot, &frozen.tree);
    let read = git.files_read();
    assert!(read <= 4, "{read}");
    git.touched();
    let (snapshot, _) = attempt(&fixture, &mut git, |it| it.write("d5/s5/f5.txt", "x\n"));
    git.rollback(&snapshot).unwrap();
    assert!(git.files_read() - read <= 5, "{}", git.files_read() - read);
    assert_eq!(fixture.status(), "");
}

#[test]
fn an_attribute_for_line_endings_makes_nobody_read_everything() {
    let fixture = Fixture::new();
    fixture.write(".gitattributes", "* text=auto\n*.bat eol=crlf\n");
    fixture.write("run.bat", "one\n");
    settle();
    fixture.commit_all("attributes");
    fixture.remove("run.bat");
    fixture.git(&["checkout", "-q", "run.bat"]);
    assert_eq!(fixture.read("run.bat"), b"one\r\n");
    settle();
    fixture.git(&["update-index", "--force-write-index"]);
    let mut git = fixture.open();
    let (_, frozen) = attempt(&fixture, &mut git, |it| it.write("src/a.rs", "one\r\n"));
    assert_eq!(letters(&frozen), ["M src/a.rs"]);
    assert_eq!(git.files_read(), 2, "the one that differs from what is stored, and the change");
}

/// How long this thread ran on a processor.
fn cpu_ms() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
}

/// Prints what a scan costs. Run with `--ignored --nocapture`.
#[test]
#[ignore = "measures, and asserts nothing"]
fn cost_of_a_scan() {
    let fixture = large();
    settle();
    let time = |what: &str, run: &mut dyn FnMut()| {
        let (wall, cpu) = (std::time::Instant::now(), cpu_ms());
        run();
        let wall = wall.elapsed().as_secs_f64() * 1e3;
        eprintln!("{what}: {:.1} ms of CPU, {wall:.1} ms", cpu_ms() - cpu);
    };
    let mut git = fixture.open();
    time("dirty, first", &mut || drop(git.dirty().unwrap()));
    time("dirty, again", &mut || drop(git.dirty().unwrap()));
    for _ in 0..3 {
        git.touched();
        let mut snapshot = None;
        time("snapshot", &mut || snapshot = Some(git.snapshot("a", None).unwrap()));
        let snapshot = snapshot.unwrap();
        fixture.write("d3/s3/f3.txt", "changed\n");
        git.touched();
        let mut frozen = None;
        time("freeze", &mut || frozen = Some(git.freeze(&snapshot).unwrap()));
        git.touched();
        time("clean_to", &mut || drop(git.clean_to(&snapshot, frozen.as_ref().unwrap()).unwrap()));
        time("commit", &mut || drop(commit(&mut git, &snapshot, &frozen.as_ref().unwrap().tree)));
        time("snapshot, fresh", &mut || drop(git.snapshot("b", None).unwrap()));
        let snapshot = git.snapshot("b", None).unwrap();
        fixture.write("d3/s3/f3.txt", "changed again\n");
        git.touched();
        time("rollback", &mut || drop(git.rollback(&snapshot).unwrap()));
    }
}
