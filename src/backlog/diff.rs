//! What a person changed between two readings of a backlog.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::change::{FieldChange, FieldValue, TaskField};
use crate::engine::id::TaskId;
use crate::engine::task::Task;

/// Compares two lists of tasks: first what is there now, in its order, then what is gone.
pub fn tasks(before: &[Task], after: &[Task]) -> Vec<FieldChange> {
    let old = places(before);
    let new = places(after);
    let moved = moved(after, &old, &new);
    let mut changes = Vec::new();
    for (at, task) in after.iter().enumerate() {
        let change =
            |field, before, after| FieldChange { task: task.id.clone(), field, before, after };
        let Some(was) = old.get(&task.id).copied() else {
            let value = FieldValue::Task(Box::new(task.clone()));
            changes.push(change(TaskField::Task, None, Some(value)));
            continue;
        };
        if moved.contains(&at) {
            let place = |at: usize| Some(FieldValue::Place(at as u64 + 1));
            changes.push(change(TaskField::Order, place(was), place(at)));
        }
        for (field, before, after) in fields(&before[was], task) {
            if before != after {
                changes.push(change(field, before, after));
            }
        }
    }
    for task in before.iter().filter(|task| !new.contains_key(&task.id)) {
        changes.push(FieldChange {
            task: task.id.clone(),
            field: TaskField::Task,
            before: Some(FieldValue::Task(Box::new(task.clone()))),
            after: None,
        });
    }
    changes
}

/// A backlog with an id twice is refused, so either place would do.
fn places(tasks: &[Task]) -> BTreeMap<&TaskId, usize> {
    tasks.iter().enumerate().map(|(at, task)| (&task.id, at)).collect()
}

fn fields(before: &Task, after: &Task) -> [(TaskField, Option<FieldValue>, Option<FieldValue>); 7] {
    // A new field of a task must be compared too, or left out on purpose.
    let values = |task: &Task| {
        let Task { id: _, title, files, description, criteria, verify, depends, size } = task;
        let files = files.iter().map(|file| file.as_str().to_owned()).collect();
        let depends = depends.iter().map(|id| id.as_str().to_owned()).collect();
        [
            Some(FieldValue::Text(title.clone())),
            Some(FieldValue::List(files)),
            Some(FieldValue::Text(description.clone())),
            Some(FieldValue::List(criteria.clone())),
            Some(FieldValue::List(verify.clone())),
            Some(FieldValue::List(depends)),
            size.clone().map(FieldValue::Text),
        ]
    };
    let [title, files, description, criteria, verify, depends, size] = values(before);
    let new = values(after);
    let [new_title, new_files, new_description, new_criteria, new_verify, new_depends, new_size] =
        new;
    [
        (TaskField::Title, title, new_title),
        (TaskField::Files, files, new_files),
        (TaskField::Description, description, new_description),
        (TaskField::Criteria, criteria, new_criteria),
        (TaskField::Verify, verify, new_verify),
        (TaskField::Depends, depends, new_depends),
        (TaskField::Size, size, new_size),
    ]
}

/// The fewest tasks, by their place in `after`, whose moving explains the new order: all that are
/// outside of a longest run of tasks that kept theirs.
fn moved(
    after: &[Task],
    old: &BTreeMap<&TaskId, usize>,
    new: &BTreeMap<&TaskId, usize>,
) -> BTreeSet<usize> {
    let common: Vec<(usize, usize)> = after
        .iter()
        .enumerate()
        .filter(|(at, task)| new.get(&task.id) == Some(at))
        .filter_map(|(at, task)| old.get(&task.id).map(|was| (at, *was)))
        .collect();
    // Patience: `ends[n]` is where a rising run of length n + 1 ends lowest, as an index of `common`.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = vec![None; common.len()];
    for (index, (_, was)) in common.iter().enumerate() {
        let length = ends.partition_point(|end| common[*end].1 < *was);
        previous[index] = length.checked_sub(1).map(|shorter| ends[shorter]);
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut moved: BTreeSet<usize> = common.iter().map(|(at, _)| *at).collect();
    let mut kept = ends.last().copied();
    while let Some(index) = kept {
        moved.remove(&common[index].0);
        kept = previous[index];
    }
    moved
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::task::Pattern;

    fn task(id: &str) -> Task {
        Task {
            id: TaskId::new(id),
            title: format!("title of {id}"),
            files: vec![Pattern::new("a.rs")],
            description: "words".into(),
            criteria: vec!["it works".into()],
            verify: vec!["true".into()],
            depends: Vec::new(),
            size: None,
        }
    }

    fn list(ids: &[&str]) -> Vec<Task> {
        ids.iter().map(|id| task(id)).collect()
    }

    #[test]
    fn the_same_tasks_have_no_changes() {
        assert_eq!(tasks(&list(&["1", "2"]), &list(&["1", "2"])), []);
    }

    #[test]
    fn every_field_that_changed_is_named_with_both_values() {
        let before = task("1");
        let after = Task {
            title: "new".into(),
            files: vec![Pattern::new("b.rs"), Pattern::new("src/**")],
            description: String::new(),
            criteria: Vec::new(),
            verify: vec!["false".into()],
            depends: vec![TaskId::new("0.1")],
            size: Some("Small".into()),
            ..before.clone()
        };
        let changes = tasks(&[before], &[after]);
        let fields: Vec<_> = changes.iter().map(|change| change.field).collect();
        assert_eq!(
            fields,
            [
                TaskField::Title,
                TaskField::Files,
                TaskField::Description,
                TaskField::Criteria,
                TaskField::Verify,
                TaskField::Depends,
                TaskField::Size
            ]
        );
        assert_eq!(changes[4].before, Some(FieldValue::List(vec!["true".into()])));
        assert_eq!(changes[4].after, Some(FieldValue::List(vec!["false".into()])));
        assert_eq!(
            (&changes[6].before, &changes[6].after),
            (&None, &Some(FieldValue::Text("Small".into())))
        );
    }

    #[test]
    fn added_removed_and_moved_tasks_are_told_apart() {
        let changes = tasks(&list(&["1", "2", "3", "4"]), &list(&["4", "1", "3", "5"]));
        let told: Vec<_> =
            changes.iter().map(|change| (change.task.as_str(), change.field)).collect();
        assert_eq!(told, [("4", TaskField::Order), ("5", TaskField::Task), ("2", TaskField::Task)]);
        assert_eq!(changes[0].before, Some(FieldValue::Place(4)));
        assert_eq!(changes[0].after, Some(FieldValue::Place(1)));
        assert_eq!((changes[1].before.is_none(), changes[2].after.is_none()), (true, true));
    }

    #[test]
    fn a_change_survives_json() {
        for change in tasks(&list(&["1", "2"]), &list(&["2", "1", "3"])) {
            let json = serde_json::to_string(&change).unwrap();
            assert_eq!(serde_json::from_str::<FieldChange>(&json).unwrap(), change);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn the_changes_lead_from_one_list_to_the_other(
            before in Just(vec!["1", "2", "3", "4", "5", "6"]).prop_shuffle(),
            after in Just(vec!["3", "4", "5", "6", "7", "8"]).prop_shuffle(),
            kept in 0_usize..=6,
        ) {
            let (before, after) = (list(&before), list(&after[..kept]));
            let changes = tasks(&before, &after);
            let mut tasks = before;
            tasks.retain(|task| !changes.iter().any(|change| change.task == task.id
                && matches!(change.field, TaskField::Task | TaskField::Order)));
            for change in &changes {
                match (&change.field, &change.after) {
                    (TaskField::Task, Some(FieldValue::Task(task))) => {
                        let at = after.iter().position(|other| other.id == task.id).unwrap();
                        tasks.insert(at, (**task).clone());
                    }
                    (TaskField::Order, Some(FieldValue::Place(place))) => {
                        tasks.insert(*place as usize - 1, task(change.task.as_str()));
                    }
                    _ => prop_assert!(change.after.is_none()),
                }
            }
            prop_assert_eq!(tasks, after);
        }
    }
}
