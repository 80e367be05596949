//! Files, environment and flags over the defaults.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rstest::rstest;

use super::*;
use crate::engine::charter::{Checkout, FailToPass, GateId, Stage};
use crate::engine::id::AgentName;

struct Site {
    _dir: tempfile::TempDir,
    user: PathBuf,
    project: PathBuf,
    env: BTreeMap<String, String>,
    flags: Overrides,
}

fn site(project: &str) -> Site {
    let dir = tempfile::tempdir().unwrap();
    let (user, file) = (dir.path().join("user.toml"), dir.path().join("config.toml"));
    fs::write(&file, project).unwrap();
    let (env, flags) = (BTreeMap::new(), Overrides::default());
    Site { _dir: dir, user, project: file, env, flags }
}

impl Site {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&Sources {
            user_file: Some(self.user.clone()),
            project_file: self.project.clone(),
            env: &self.env,
            flags: &self.flags,
        })
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// What is wrong, without the path of the file.
    fn complaint(&self) -> String {
        let text = self.load().unwrap_err().to_string();
        text.replace(&format!("{}:", self.project.display()), "")
    }
}

fn value(config: &Config, key: &str) -> String {
    let settings = config.settings();
    settings.into_iter().find(|setting| setting.key == key).unwrap().value.to_string()
}

#[test]
fn without_any_source_the_defaults_hold() {
    let config = site("").load().unwrap();
    assert_eq!(config, Config::default());
    assert!(config.settings().iter().all(|setting| setting.origin == Origin::Default));
    let policy = config.policy(Ask::default());
    assert_eq!((policy.failures_max, policy.verify.timeout_s), (5, 300));
    assert_eq!((policy.stages.len(), policy.gates_off.len()), (5, 0));
    assert_eq!(config.limits(), crate::engine::charter::Limits::default());
    assert_eq!(config.charter_roles().implement, [AgentName::new("codex")]);
}

/// The example of the contract, with every key it names.
#[test]
fn every_key_of_the_contract_is_read() {
    let site = site(
        r#"
[run]
profile = ["plan", "implement", "verify"]
iterations = 7
failures_max = 3
commit_on_pass = false
sandbox = "required"
require_branch_prefix = "bot/"
risk = "safe"
[verify]
timeout_s = 60
checkout = "clean"
repeat = 2
[gates]
impl_critique = "off"
protected = ["tests/**"]
fail_to_pass = "warn"
[budget]
cost_usd = 2.5
tokens = 1000
wall_clock_s = 3600
quota_percent = 90
[retry]
overloaded = 2
empty = 0
pause_s = 7
[agents.my-own]
command = ["my", "{{prompt_file}}"]
prompt = "file"
output = "text"
model = "m"
effort = "high"
timeout_s = 5
idle_s = 0
[roles]
plan = "codex"
implement = ["claude", "my-own"]
review = "gemini"
independent = "vendor"
failover = true
"#,
    );
    let config = site.load().unwrap();
    let policy = config.policy(Ask { only: None, allow_dirty: true });
    assert_eq!(policy.stages, [Stage::Plan, Stage::Implement, Stage::Verify]);
    assert_eq!((policy.iterations, policy.failures_max, policy.verify.repeat), (7, 3, 2));
    assert!(!policy.commit_on_pass && policy.allow_dirty);
    assert_eq!(policy.gates_off, [GateId::ImplCritique]);
    assert_eq!(policy.protected[0].as_str(), "tests/**");
    assert_eq!(policy.fail_to_pass, FailToPass::Warn);
    assert_eq!(config.roles.independent, Independence::Vendor);
    assert_eq!(config.limits().cost_usd.micros(), 2_500_000);
    assert_eq!(config.charter_roles().implement.len(), 2);
    let recovery = config.recovery(None);
    assert_eq!((recovery.overloaded, recovery.empty, recovery.pause_s), (2, 0, 7));
    assert_eq!((recovery.failover, recovery.quota_percent), (true, 90));
    let agent = &config.agents[&AgentName::new("my-own")];
    assert_eq!((agent.output, agent.timeout_s.unwrap().get()), (Some(Output::Text), 5));
    assert!(matches!(config.origin("agents.my-own.model"), Origin::Project { .. }));
    assert_eq!(config.origin("roles.impl_critique"), &Origin::Default);
    config.check_agents(&["codex", "claude", "gemini"]).unwrap();
}

/// Failover takes a list, and nobody who says no.
#[rstest]
#[case::one_agent("", false)]
#[case::a_list("[roles]\nplan = [\"claude\", \"codex\"]", true)]
#[case::not_wanted("[roles]\nplan = [\"claude\", \"codex\"]\nfailover = false", false)]
#[case::a_list_of_reviewers("[roles]\nreview = [\"claude\", \"codex\"]", false)]
fn the_next_of_a_list_takes_over_unless_somebody_says_no(#[case] text: &str, #[case] want: bool) {
    assert_eq!(site(text).load().unwrap().recovery(None).failover, want);
}

/// What is missing from every checkout must not look like a test that fails without the change.
#[rstest]
#[case("off", Checkout::Worktree)]
#[case("warn", Checkout::Clean)]
#[case("require", Checkout::Clean)]
fn the_candidate_is_checked_out_where_the_base_is(#[case] word: &str, #[case] want: Checkout) {
    let config = site(&format!("[gates]\nfail_to_pass = \"{word}\"")).load().unwrap();
    assert_eq!(config.policy(Ask::default()).verify.checkout, want);
}

#[test]
fn each_layer_lies_over_the_one_before() {
    let mut site = site("[run]\nfailures_max = 3\niterations = 3\nprofile = \"solo\"\n")
        .var("LOOPER_RUN_ITERATIONS", "4")
        .var("LOOPER_RUN_PROFILE", "solo");
    fs::write(&site.user, "[run]\nfailures_max = 2\n[verify]\nrepeat = 2\n").unwrap();
    site.flags.profile = Some(Profile::full());
    let config = site.load().unwrap();
    let decided = |key| (value(&config, key), config.origin(key).to_string());
    let (user, project) = (site.user.display().to_string(), site.project.display().to_string());
    assert_eq!(decided("verify.repeat"), ("2".to_owned(), user));
    assert_eq!(decided("run.failures_max"), ("3".to_owned(), project));
    assert_eq!(decided("run.iterations"), ("4".to_owned(), "LOOPER_RUN_ITERATIONS".to_owned()));
    assert_eq!(decided("run.profile"), ("\"full\"".to_owned(), "--profile".to_owned()));
}

#[test]
fn one_agent_for_everything_beats_every_role() {
    let mut site = site("[roles]\nplan = \"gemini\"\n").var("LOOPER_ROLES_REVIEW", "claude,codex");
    assert_eq!(value(&site.load().unwrap(), "roles.review"), r#"["claude","codex"]"#);
    site.flags.agent = Some(AgentName::new("opencode"));
    let config = site.load().unwrap();
    let terms = ["roles.independent", "roles.failover"];
    assert!(terms.iter().all(|key| config.origin(key) == &Origin::Default));
    let is_role = |key: &str| key.starts_with("roles.") && !terms.contains(&key);
    for setting in config.settings().iter().filter(|setting| is_role(&setting.key)) {
        assert_eq!(setting.value, "opencode");
        assert_eq!(setting.origin.to_string(), "--agent");
    }
}

#[rstest]
#[case::unknown_key(
    "[verify]\n\n timout_s = 1",
    r#"3:2: unknown key "timout_s", did you mean "timeout_s"?"#
)]
#[case::unknown_section("[verfy]\nx = 1", r#"1:2: unknown key "verfy", did you mean "verify"?"#)]
#[case::key_of_another_section(
    "[run]\nrepeat = 2",
    r#"2:1: unknown key "repeat", did you mean "[verify] repeat"?"#
)]
#[case::key_of_a_section_at_the_top(
    "iterations = 2",
    r#"1:1: unknown key "iterations", did you mean "[run] iterations"?"#
)]
#[case::nothing_near("[run]\ncolour = 2", r#"2:1: unknown key "colour""#)]
#[case::dotted("verify.timeout = 1", r#"1:8: unknown key "timeout", did you mean "timeout_s"?"#)]
#[case::agent_key("[agents.codex]\ntimeout = 1", r#"2:1: unknown key "timeout""#)]
#[case::agent_name("[agents.\"a/b\"]\nmodel = \"\"", r#"1:9: "a/b" is not the name of an agent"#)]
#[case::agent_is_no_section("[agents]\ncodex = 1", "2:9: an agent is a section: [agents.codex]")]
#[case::section_is_a_value("run = 5", "1:7: run is a section: [run]")]
#[case::wrong_type(
    "[run]\ncommit_on_pass = \"yes\"",
    "2:18: invalid type: string \"yes\", expected a boolean"
)]
#[case::column_in_characters(
    "[agents.x]\nmodel = \"ää\"\n[run]\n'iterations' = -1",
    "4:16: invalid value: integer `-1`, expected u32"
)]
#[case::zero("[run]\nfailures_max = 0", "2:16: invalid value: integer `0`, expected a nonzero u32")]
#[case::no_time("[verify]\ntimeout_s = 0", "2:13: expected 1 to 31622400 seconds, found 0")]
#[case::too_much_time(
    "[budget]\nwall_clock_s = 99999999999",
    "2:16: expected 0 to 31622400 seconds, found 99999999999"
)]
#[case::more_than_all(
    "[budget]\nquota_percent = 101",
    "2:17: expected 0 to 100 per cent, found 101"
)]
#[case::too_often("[retry]\noverloaded = 21", "2:14: expected 0 to 20 times, found 21")]
#[case::negative_money(
    "[budget]\ncost_usd = -1",
    "2:12: expected 0 to 1000000000 US dollars, found -1"
)]
#[case::no_money(
    "[budget]\ncost_usd = nan",
    "2:12: expected 0 to 1000000000 US dollars, found NaN"
)]
#[case::unknown_profile(
    "[run]\nprofile = \"fast\"",
    "2:11: unknown profile \"fast\", expected \"full\", \"solo\" or stages"
)]
#[case::unknown_stage(
    "[run]\nprofile = [\"implement\", \"test\"]",
    "2:11: unknown variant `test`, expected one of `plan`, `plan_critique`, `implement`, `verify`, `impl_critique`"
)]
#[case::no_verify(
    "[run]\nprofile = [\"plan\", \"implement\"]",
    "2:11: stages must include implement and verify"
)]
#[case::stages_in_disorder(
    "[run]\nprofile = [\"verify\", \"implement\"]",
    "2:11: stages come once each and in this order: plan, plan_critique, implement, verify, impl_critique"
)]
#[case::critique_of_no_plan(
    "[run]\nprofile = [\"plan_critique\", \"implement\", \"verify\"]",
    "2:11: plan_critique needs plan"
)]
#[case::no_agents("[roles]\nplan = []", "2:8: expected 1 to 16 agents")]
#[case::no_role(
    "[roles]\nplan = 5",
    "2:8: invalid type: integer `5`, expected the name of an agent, or a list of names"
)]
#[case::bad_pattern("[gates]\nprotected = [\"a[\"]", "2:13: \"a[\" is not a pattern")]
#[case::neither_on_nor_off("[gates]\nscope = true", "2:9: expected a string")]
#[case::fail_to_pass_is_no_switch(
    "[gates]\nfail_to_pass = \"on\"",
    "2:16: unknown variant `on`, expected one of `off`, `warn`, `require`"
)]
#[case::twice("[run]\niterations = 1\niterations = 2", "3:1: duplicate key")]
#[case::no_toml("[run", "1:5: unclosed table, expected `]`")]
fn a_mistake_is_refused_in_its_place(#[case] text: &str, #[case] want: &str) {
    let complaint = site(text).complaint();
    assert!(complaint.starts_with(want), "{complaint}\nwanted {want}");
    assert!(!complaint.contains('\n'), "{complaint}");
}

#[rstest]
#[case::number("LOOPER_VERIFY_TIMEOUT_S", "60", "verify.timeout_s", "60")]
#[case::words("LOOPER_RUN_REQUIRE_BRANCH_PREFIX", "bot/", "run.require_branch_prefix", r#""bot/""#)]
#[case::number_as_words("LOOPER_AGENTS_CODEX_MODEL", "5", "agents.codex.model", r#""5""#)]
#[case::switch("LOOPER_GATES_IMPL_CRITIQUE", "off", "gates.impl_critique", r#""off""#)]
#[case::truth("LOOPER_RUN_COMMIT_ON_PASS", "false", "run.commit_on_pass", "false")]
#[case::money("LOOPER_BUDGET_COST_USD", "3", "budget.cost_usd", "3.0")]
#[case::list("LOOPER_RUN_PROFILE", "implement, verify", "run.profile", r#""solo""#)]
#[case::toml_list("LOOPER_GATES_PROTECTED", r#"["a/**"]"#, "gates.protected", r#"["a/**"]"#)]
#[case::known_agent("LOOPER_AGENTS_MY_OWN_TIMEOUT_S", "9", "agents.my-own.timeout_s", "9")]
#[case::new_agent("LOOPER_AGENTS_OTHER_IDLE_S", "9", "agents.other.idle_s", "9")]
#[case::command("LOOPER_AGENTS_OTHER_COMMAND", r#"["a,b"]"#, "agents.other.command", r#"["a,b"]"#)]
fn every_key_has_a_variable(
    #[case] name: &str,
    #[case] text: &str,
    #[case] key: &str,
    #[case] want: &str,
) {
    let site = site("[agents.my-own]\ncommand = [\"x\"]\n").var(name, text);
    let config = site.load().unwrap();
    assert_eq!(value(&config, key), want);
    assert_eq!(config.origin(key), &Origin::Env { name: name.to_owned() });
}

#[rstest]
#[case::misspelt("LOOPER_VERIFY_TIMOUT_S", "1", "did you mean \"LOOPER_VERIFY_TIMEOUT_S\"?")]
#[case::misspelt_for_an_agent(
    "LOOPER_AGENTS_CODEX_TIMOUT",
    "1",
    "unknown key \"LOOPER_AGENTS_CODEX_TIMOUT\""
)]
#[case::no_number(
    "LOOPER_RUN_FAILURES_MAX",
    "many",
    "LOOPER_RUN_FAILURES_MAX: invalid type: string \"many\", expected a nonzero u32"
)]
#[case::out_of_range(
    "LOOPER_RUN_FAILURES_MAX",
    "0",
    "LOOPER_RUN_FAILURES_MAX: invalid value: integer `0`, expected a nonzero u32"
)]
#[case::command_in_words(
    "LOOPER_AGENTS_CODEX_COMMAND",
    "sh,-c",
    "LOOPER_AGENTS_CODEX_COMMAND: invalid type: string"
)]
fn a_mistaken_variable_is_refused(#[case] name: &str, #[case] text: &str, #[case] want: &str) {
    let complaint = site("").var(name, text).complaint();
    assert!(complaint.contains(want), "{complaint}");
}

#[test]
fn variables_of_ours_that_are_no_configuration_are_left_alone() {
    let site =
        site("").var("LOOPER_STATE_DIR", "x").var("LOOPER_RUN", "01K").var("LOOPER_TASK", "1");
    assert_eq!(site.load().unwrap(), Config::default());
}

#[test]
fn a_hostile_file_is_bounded() {
    let site = site("");
    fs::write(&site.project, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(matches!(site.load(), Err(ConfigError::File(_))));
    fs::write(&site.project, b"[run]\n\xff").unwrap();
    assert_eq!(site.complaint(), "2:1: not UTF-8");
    fs::write(&site.project, "x = ".to_owned() + &"[".repeat(500_000)).unwrap();
    assert!(site.complaint().len() < 400);
    fs::write(&site.project, "\"\\u001b[2J\" = 1").unwrap();
    assert!(!site.complaint().contains('\x1b'));
}

#[rstest]
#[case::unknown("[roles]\nplan = \"claud\"", r#"unknown agent "claud", did you mean "claude"?"#)]
#[case::without_command("[agents.mine]\nmodel = \"x\"", "[agents.mine] needs a command")]
#[case::with_empty_command("[agents.mine]\ncommand = []", "[agents.mine] needs a command")]
fn an_agent_that_cannot_be_called_is_refused(#[case] text: &str, #[case] want: &str) {
    let config = site(text).load().unwrap();
    let error = config.check_agents(&["codex", "claude"]).unwrap_err().to_string();
    assert!(error.contains(want), "{error}");
}

#[rstest]
#[case::xdg(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")], Some("/x/looper/config.toml"))]
#[case::relative_xdg(&[("XDG_CONFIG_HOME", "x"), ("HOME", "/h")], Some("/h/.config/looper/config.toml"))]
#[case::home(&[("HOME", "/h")], Some("/h/.config/looper/config.toml"))]
#[case::homeless(&[], None)]
fn the_users_file_lies_where_xdg_says(#[case] env: &[(&str, &str)], #[case] want: Option<&str>) {
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    assert_eq!(user_file(&env), want.map(PathBuf::from));
}

#[test]
fn the_schema_agrees_with_the_reader() {
    let schema = serde_json::to_value(schema()).unwrap();
    assert_eq!(schema["properties"]["verify"]["properties"]["timeout_s"]["default"], 300);
    assert!(!schema.to_string().contains("null"), "{schema:#}");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let accepts = |text: &str| {
        let json = serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
        validator.is_valid(&json)
    };
    for text in
        ["", "[run]\nprofile = \"solo\"", "[gates]\nprotected = \"off\"", "[agents.x]\nidle_s = 1"]
    {
        assert!(accepts(text) && site(text).load().is_ok(), "{text}");
    }
    for text in [
        "[run]\nx = 1",
        "[verify]\ntimeout_s = 0",
        "[roles]\nplan = []",
        "[agents.x]\ny = 1",
        "x = 1",
    ] {
        assert!(!accepts(text) && site(text).load().is_err(), "{text}");
    }
}
