//! Made-up attempts on which templates are tried before they are needed.

use super::input::{Brief, ImplCritic, Implementer, PlanCritic, Prompt, Retry};
use crate::engine::charter::{Checkout, FailToPass, GateId, Policy, Risk, Stage, VerifyTerms};
use crate::engine::id::{RepoPath, TaskId};
use crate::engine::task::{Pattern, Task};
use crate::host::evidence::CommandRun;

/// Hands every prompt over, once with everything in it and once with as little as possible.
pub(super) fn each<E>(mut visit: impl FnMut(&Prompt<'_>) -> Result<(), E>) -> Result<(), E> {
    let paths: Vec<RepoPath> = ["src/greet.rs", "tests/greet.rs"]
        .into_iter()
        .filter_map(|it| RepoPath::new(it).ok())
        .collect();
    let runs = [run(0, b"test greets ... ok\n"), run(101, b"expected 1, found 2\n")];
    for is_full in [true, false] {
        let task = task(is_full);
        let policy = policy(is_full);
        let brief = Brief {
            task: &task,
            attempt: if is_full { 3 } else { 1 },
            policy: &policy,
            retry: is_full.then_some(Retry {
                fail_count: 2,
                last_failure: "verify: `cargo test` returned 101",
                evidence: ".looper/evidence/loop-7",
            }),
            state_dir: ".looper",
            backlog: ".looper/backlog.md",
        };
        let plan: &[u8] = b"1. `src/greet.rs`, `greet`: return the name, too.\n";
        let critique: &[u8] = b"Sound.\n\n## Notes\nnone\n\nVERDICT: PASS\n";
        visit(&Prompt::Planner(&brief))?;
        visit(&Prompt::PlanCritic(&PlanCritic { brief, plan }))?;
        visit(&Prompt::Implementer(&Implementer {
            brief,
            plan: is_full.then_some(plan),
            plan_critique: is_full.then_some(critique),
        }))?;
        visit(&Prompt::ImplCritic(&ImplCritic {
            brief,
            plan: is_full.then_some(plan),
            changed: &paths,
            out_of_scope: if is_full { &[] } else { &paths[1..] },
            diff_stat: b" src/greet.rs | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n",
            diff: b"--- a/src/greet.rs\n+++ b/src/greet.rs\n@@ -1 +1 @@\n-\"hello\"\n+\"hello, you\"\n",
            commands: is_full.then_some(&runs),
        }))?;
    }
    Ok(())
}

fn run(exit_code: i32, output: &[u8]) -> CommandRun<'_> {
    CommandRun {
        command: "cargo test",
        exit_code: Some(exit_code),
        timed_out: false,
        duration_ms: 1200,
        output,
    }
}

fn task(is_full: bool) -> Task {
    let files: &[&str] = if is_full { &["src/greet.rs", "tests/**"] } else { &["src/greet.rs"] };
    Task {
        id: TaskId::new("1.2"),
        title: "Greet by name".to_owned(),
        files: files.iter().copied().map(Pattern::new).collect(),
        description: if is_full {
            "Say hello to the one who calls.".to_owned()
        } else {
            String::new()
        },
        criteria: if is_full {
            vec!["`greet(\"you\")` is `hello, you`".to_owned()]
        } else {
            vec![]
        },
        verify: vec!["cargo test".to_owned()],
        depends: Vec::new(),
        size: None,
    }
}

fn policy(is_full: bool) -> Policy {
    let solo = [Stage::Implement, Stage::Verify];
    let full =
        [Stage::Plan, Stage::PlanCritique, Stage::Implement, Stage::Verify, Stage::ImplCritique];
    Policy {
        stages: if is_full { full.to_vec() } else { solo.to_vec() },
        iterations: 0,
        failures_max: 5,
        commit_on_pass: true,
        only: None,
        allow_dirty: false,
        risk: Risk::Unattended,
        verify: VerifyTerms { timeout_s: 300, checkout: Checkout::Worktree, repeat: 1 },
        gates_off: if is_full { Vec::new() } else { GateId::ALL.to_vec() },
        protected: Vec::new(),
        fail_to_pass: FailToPass::Off,
        recovery: None,
    }
}
