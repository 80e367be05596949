//! Words for what a scripted agent does. `docs/fake_agent.md` explains each step.

use looper::scripted::{Child, Rule, Step};

/// A rule for every call of a stage.
pub(crate) fn on(stage: &str) -> Rule {
    Rule { stage: Some(stage.to_owned()), ..Rule::default() }
}

pub(crate) fn implementer(steps: impl Into<Vec<Step>>) -> Rule {
    on("implement").does(steps)
}

/// A critic of the change who ends with this line.
pub(crate) fn critic(line: &str) -> Rule {
    on("impl_critique").does([print(line)])
}

/// Narrows a rule down, one word after the other.
pub(crate) trait Narrow {
    fn task(self, id: &str) -> Self;
    fn attempt(self, number: u32) -> Self;
    fn once(self) -> Self;
    fn often(self, times: u32) -> Self;
    fn does(self, steps: impl Into<Vec<Step>>) -> Self;
}

impl Narrow for Rule {
    fn task(self, id: &str) -> Self {
        Self { task: Some(id.to_owned()), ..self }
    }

    fn attempt(self, number: u32) -> Self {
        Self { attempt: Some(number), ..self }
    }

    fn once(self) -> Self {
        Self { times: Some(1), ..self }
    }

    fn often(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    fn does(self, steps: impl Into<Vec<Step>>) -> Self {
        Self { steps: steps.into(), ..self }
    }
}

pub(crate) fn write(path: &str, text: &str) -> Step {
    Step::Write { path: path.into(), text: text.to_owned() }
}

pub(crate) fn append(path: &str, text: &str) -> Step {
    Step::Append { path: path.into(), text: text.to_owned() }
}

pub(crate) fn delete(path: &str) -> Step {
    Step::Delete(path.into())
}

pub(crate) fn print(text: &str) -> Step {
    Step::Print(text.to_owned())
}

pub(crate) fn print_stderr(text: &str) -> Step {
    Step::PrintStderr(text.to_owned())
}

/// The last line of a run, as claude prints it.
pub(crate) fn frame(is_error: bool, said: &str) -> Step {
    let said = serde_json::Value::from(said);
    print(&format!(
        "{{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":{is_error},\"result\":{said}}}"
    ))
}

pub(crate) fn sleep(ms: u64) -> Step {
    Step::SleepMs(ms)
}

pub(crate) fn exit(code: u8) -> Step {
    Step::Exit(code)
}

/// A shell command; where it fails, the agent ends with its exit code.
pub(crate) fn sh(command: &str) -> Step {
    Step::Run(["sh", "-c", command].map(str::to_owned).to_vec())
}

/// A process that stays behind and writes a line to `path` at the end of its life.
pub(crate) fn daemon(ms: u64, path: &str) -> Step {
    Step::LeaveChild(Child {
        ms,
        in_own_session: true,
        as_daemon: true,
        quiet: true,
        then_append: Some(path.into()),
        ..Child::default()
    })
}

/// A command that sends the loop, which started this agent, a signal.
pub(crate) fn kill(signal: &str) -> String {
    format!("kill -{signal} $(cut -d' ' -f4 /proc/$PPID/stat)")
}
