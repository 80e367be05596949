//! The command line: one file per command, errors mapped to exit codes in one place.

mod anew;
pub mod args;
mod audit;
mod bench;
mod block;
mod completions;
mod confine;
mod debug_log;
mod demo;
pub(crate) mod doctor;
pub mod exit;
mod failure;
mod lint;
mod log;
mod ls;
mod patience;
mod person;
mod play;
mod recheck;
mod replay;
mod report;
mod reverify;
mod run;
mod schema;
mod signals;
mod since;
mod site;
mod status;
mod stop;
mod unblock;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::{ExitCode, Termination as _};

use clap::Parser as _;

use crate::scripted;
use crate::ui::sanitize::clean;
use args::{Cli, Command, DoctorArgs, Format};
use exit::Exit;
use failure::Failure;
use site::Site;

/// The program: parses the command line and does what it says.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed stream is all that can go wrong here.
            drop(error.print());
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            return exit.report();
        }
    };
    if let Command::ScriptedAgent(args) = cli.command {
        return scripted::main(args.arguments);
    }
    if let Command::Confine(args) = cli.command {
        return confine::confine(args);
    }
    if let Command::Play(args) = cli.command {
        return play::play(&args);
    }
    let site = match Site::new(cli.global) {
        Ok(site) => site,
        Err(failure) => return report(&failure, false).report(),
    };
    let exit = match dispatch(&site, &cli.command) {
        Ok(exit) => exit,
        Err(failure) => report(&failure, site.is_colored()),
    };
    exit.report()
}

fn report(failure: &Failure, color: bool) -> Exit {
    // Standard error may be closed, and there is nobody else to tell.
    drop(write!(std::io::stderr(), "{}", failure.render(color)));
    failure.exit
}

fn dispatch(site: &Site, command: &Command) -> Result<Exit, Failure> {
    if site.global.format == Format::Html && !matches!(command, Command::Report(_)) {
        return Err(Failure::new(Exit::Usage, "only a report has a form in HTML")
            .help("use --format text or json"));
    }
    match command {
        Command::Bench(args) => bench::bench(site, args),
        Command::Demo(args) => demo::demo(site, args),
        Command::Run(args) => run::run(site, args),
        Command::Block(args) => block::block(site, args).map_err(Failure::before_agents),
        Command::Unblock(args) => unblock::unblock(site, args).map_err(Failure::before_agents),
        Command::Doctor(DoctorArgs {}) => doctor::doctor(site),
        Command::Replay(args) => replay::replay(site, args).map_err(Failure::before_agents),
        Command::Report(args) => report::report(site, args).map_err(Failure::before_agents),
        Command::Stop(args) => stop::stop(site, args),
        Command::Status(args) => status::status(site, args).map_err(Failure::before_agents),
        Command::Log(args) => log::log(site, args).map_err(Failure::before_agents),
        Command::Ls(args) => ls::ls(site, args).map_err(Failure::before_agents),
        Command::Lint(args) => lint::lint(site, args),
        Command::Schema(args) => schema::schema(args),
        Command::Completions(args) => completions::completions(args),
        Command::Man => completions::man(),
        Command::ScriptedAgent(_) | Command::Confine(_) | Command::Play(_) => {
            unreachable!("BUG: what stands in for other programs has no site")
        }
    }
}

/// Writes data to standard output. A reader that has seen enough is no failure.
fn print(text: &str) -> Result<Exit, Failure> {
    stream(text).map(|_| Exit::Ok)
}

/// The same for data as JSON.
fn print_json(data: &impl serde::Serialize) -> Result<Exit, Failure> {
    let json = serde_json::to_string_pretty(data);
    print(&format!("{}\n", json.map_err(|error| Failure::of(Exit::Bug, &error))?))
}

/// Writes data to standard output, and says whether anybody still reads.
fn stream(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            let what = format!("cannot write to standard output: {error}");
            Err(Failure::new(Exit::Machine, what))
        }
    }
}

/// Says something to people, unless they asked for silence.
fn tell(site: &Site, text: &str) {
    if !site.global.quiet {
        say(&format!("{}\n", clean(text)));
    }
}

/// Says something to people as it is. Standard error may be closed, which is no reason to stop, and
/// there is nobody else to tell.
fn say(text: &str) {
    drop(std::io::stderr().write_all(text.as_bytes()));
}
