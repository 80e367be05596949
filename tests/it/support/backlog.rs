//! A backlog, task by task.

/// One task as a person would write it.
#[derive(Clone, Debug)]
pub(crate) struct TaskText {
    id: String,
    title: String,
    mark: char,
    files: String,
    verify: Vec<String>,
    depends: String,
    description: String,
}

/// A task that may write `src/<id>.txt` and is done when that file is there.
pub(crate) fn task(id: &str) -> TaskText {
    let file = format!("src/{id}.txt");
    TaskText {
        id: id.to_owned(),
        title: format!("Write {id}"),
        mark: ' ',
        verify: vec![format!("test -e {file}")],
        files: file,
        depends: "none".to_owned(),
        description: "A file with some text.".to_owned(),
    }
}

impl TaskText {
    pub(crate) fn title(mut self, title: &str) -> Self {
        self.title = title.to_owned();
        self
    }

    /// As after `Files:`, with commas.
    pub(crate) fn files(mut self, files: &str) -> Self {
        self.files = files.to_owned();
        self
    }

    pub(crate) fn verify(mut self, commands: &[&str]) -> Self {
        self.verify = commands.iter().map(ToString::to_string).collect();
        self
    }

    pub(crate) fn depends(mut self, ids: &str) -> Self {
        self.depends = ids.to_owned();
        self
    }

    pub(crate) fn mark(mut self, mark: char) -> Self {
        self.mark = mark;
        self
    }

    fn text(&self) -> String {
        let Self { id, title, mark, files, depends, description, .. } = self;
        let verify: String =
            self.verify.iter().map(|line| format!("    - [ ] verify: `{line}`\n")).collect();
        format!(
            "- [{mark}] Task {id}: {title}\n  - Size: Small\n  - Files: {files}\n  \
             - Description: {description}\n  - Completion criteria:\n    - [ ] The file is there.\n\
             {verify}  - Depends: {depends}\n  - Fail count: 0\n\n"
        )
    }
}

/// The whole file.
pub(super) fn text(tasks: &[TaskText]) -> String {
    let tasks: String = tasks.iter().map(TaskText::text).collect();
    format!("# Backlog\n\n{tasks}")
}
