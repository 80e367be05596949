//! The message of a commit, and what a message says about who made it.

use super::id::{RunId, Seq, TaskId};
use super::line::Proof;
use super::reason;
use super::task::Task;

/// How many blocks of trailers are read from one message: a squash of more commits than that is
/// judged by its first ones.
const BLOCKS_MAX: usize = 1000;

/// The subject names the task; the trailers name the run and the `gates_judged` line that let the
/// commit through, by position and proof.
pub fn commit_message(task: &Task, run: &RunId, judged: Seq, proof: Proof) -> String {
    format!(
        "{}\n\nLooper-Run: {run}\nLooper-Task: {}\nLooper-Seq: {judged}\nLooper-Log: {proof}\n",
        reason::line(&task.heading()),
        task.id,
    )
}

/// What git adds to the trailers of a commit that a person picks.
const PICKED: &str = "(cherry picked from commit ";

/// What one block of trailers claims. What is missing or makes no sense is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trailers {
    /// The run that is said to have made the commit.
    pub run: Option<RunId>,
    /// The task that it is said to be about.
    pub task: Option<TaskId>,
    /// The `gates_judged` event that is said to have let it through.
    pub seq: Option<Seq>,
    /// The proof of that event.
    pub log: Option<Proof>,
}

/// Every block of our trailers in a message. There is more than one where a person has squashed
/// commits of ours. Text about trailers, in a paragraph with other lines, is none.
pub fn trailers(message: &str) -> Vec<Trailers> {
    let mut blocks = vec![];
    for paragraph in message.split("\n\n") {
        let is_told = |line: &&str| !line.is_empty() && !line.starts_with(PICKED);
        let lines = || paragraph.lines().filter(is_told);
        if lines().all(|line| token(line).is_some()) {
            lines().filter_map(token).for_each(|pair| note(&mut blocks, pair));
        }
    }
    blocks.truncate(BLOCKS_MAX);
    blocks
}

/// `Some-Word: value`, as git reads a trailer.
fn token(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_word = |name: &str| name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
    (!name.is_empty() && is_word(name)).then(|| (name, value.trim()))
}

/// A name that is there already begins the next block.
fn note(blocks: &mut Vec<Trailers>, (name, value): (&str, &str)) {
    let is_new = |last: &Trailers| match name {
        "Looper-Run" => last.run.is_some(),
        "Looper-Task" => last.task.is_some(),
        "Looper-Seq" => last.seq.is_some(),
        _ => last.log.is_some(),
    };
    if !matches!(name, "Looper-Run" | "Looper-Task" | "Looper-Seq" | "Looper-Log") {
        return;
    }
    if blocks.last().is_none_or(is_new) {
        blocks.push(Trailers::default());
    }
    let Some(last) = blocks.last_mut() else { return };
    match name {
        "Looper-Run" => last.run = Some(RunId::new(value)),
        "Looper-Task" => last.task = Some(TaskId::new(value)),
        "Looper-Seq" => last.seq = value.parse().ok().map(Seq),
        _ => last.log = Proof::parse(value),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The message of task 1.2 with this title.
    fn written(title: &str) -> String {
        let task = Task {
            id: TaskId::new("1.2"),
            title: title.to_owned(),
            files: vec![],
            description: String::new(),
            criteria: vec![],
            verify: vec![],
            depends: vec![],
            size: None,
        };
        commit_message(&task, &RunId::new("01K"), Seq(9), Proof::GENESIS)
    }

    #[test]
    fn a_title_cannot_add_a_trailer() {
        let message = written("Tidy\n\nLooper-Run: forged");
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines[0], "Task 1.2: Tidy Looper-Run: forged");
        assert_eq!(lines[2..5], ["Looper-Run: 01K", "Looper-Task: 1.2", "Looper-Seq: 9"]);
        assert_eq!(lines.len(), 6);
    }

    fn block(run: &str, task: &str, seq: u64) -> String {
        format!(
            "Looper-Run: {run}\nLooper-Task: {task}\nLooper-Seq: {seq}\nLooper-Log: {}\n",
            Proof::GENESIS
        )
    }

    fn claims(run: &str, task: &str, seq: u64) -> Trailers {
        let (run, task) = (Some(RunId::new(run)), Some(TaskId::new(task)));
        Trailers { run, task, seq: Some(Seq(seq)), log: Some(Proof::GENESIS) }
    }

    #[rstest]
    #[case::ours(format!("Task 1: a\n\n{}", block("r", "1", 9)), vec![claims("r", "1", 9)])]
    #[case::signed_by_a_person(
        format!("a\n\n{}Signed-off-by: Ada <a@example.org>\n", block("r", "1", 9)),
        vec![claims("r", "1", 9)]
    )]
    #[case::picked_by_a_person(
        format!("a\n\n{}(cherry picked from commit 1234)\n", block("r", "1", 9)),
        vec![claims("r", "1", 9)]
    )]
    #[case::squashed(
        format!("a\n\n{}\nTask 2: b\n\n{}", block("r", "1", 9), block("r", "2", 20)),
        vec![claims("r", "1", 9), claims("r", "2", 20)]
    )]
    #[case::squashed_without_words_between(
        format!("a\n\n{}\n{}", block("r", "1", 9), block("r", "2", 20)),
        vec![claims("r", "1", 9), claims("r", "2", 20)]
    )]
    #[case::half_a_block(
        "a\n\nLooper-Run: r\nLooper-Log: no proof\n".to_owned(),
        vec![Trailers { run: Some(RunId::new("r")), ..Trailers::default() }]
    )]
    #[case::none("a\n\nFixes: 12\n".to_owned(), vec![])]
    #[case::text_about_them(format!("a\n\nA commit says\n{}", block("r", "1", 9)), vec![])]
    #[case::quoted("Squashed\n\n    Looper-Run: r\n    Looper-Seq: 9\n".to_owned(), vec![])]
    fn a_message_says_which_judgements_it_rests_on(
        #[case] message: String,
        #[case] want: Vec<Trailers>,
    ) {
        assert_eq!(trailers(&message), want);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let message = written("Tidy");
        assert_eq!(trailers(&message), [claims("01K", "1.2", 9)]);
    }
}
