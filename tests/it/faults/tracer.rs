//! Runs a program under ptrace, counts what it does to the disk, and lets one such call go wrong.
//!
//! Threads of the program are followed, its children are not: agents live their own lives, and
//! outlive the program when it is killed. A preloaded library would miss the system calls that the
//! program makes without the C library.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::user_regs_struct;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::calls::{Call, Caller, Kind};
use super::device::Device;

/// A run that takes longer hangs. A run takes a second or two, on a busy machine some more.
const LONG: Duration = Duration::from_secs(120);

/// What goes wrong at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The program is killed before it.
    Before,
    /// The program is killed when it is done.
    After,
    /// Half of it is written, then the program is killed.
    Torn,
    /// It is not done, and fails.
    Once(Errno),
    /// It and every later one of its sort are not done, and fail.
    FromHereOn(Errno),
}

impl Fault {
    /// Whether it can befall such a call.
    pub(super) fn befalls(self, kind: Kind) -> bool {
        match self {
            Self::Before | Self::After => true,
            Self::Torn => kind == Kind::Write,
            Self::Once(errno) | Self::FromHereOn(errno) => match errno {
                Errno::ENOSPC | Errno::EDQUOT => kind.needs_space(),
                Errno::EROFS | Errno::EACCES => kind.asks_permission(),
                _ => kind != Kind::Spawn,
            },
        }
    }
}

/// The fault and the call that it befalls, counted from one among those that it can befall.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) fault: Fault,
    pub(super) at: u64,
}

/// What a run under the tracer came to.
#[derive(Debug)]
pub(super) struct Traced {
    /// How it ended.
    pub(super) status: ExitStatus,
    /// The call at which the fault came; nothing if it ended before.
    pub(super) hit: Option<Call>,
    /// Calls that the fault could befall, in order, until it came.
    pub(super) calls: Vec<Call>,
}

/// Runs a program that works below `place`.
#[expect(clippy::zombie_processes, reason = "it is waited for as a tracee")]
pub(super) fn run(mut command: Command, place: &Path, order: Order, device: &mut Device) -> Traced {
    become_traced(&mut command);
    let child = command.spawn().expect("the program starts under ptrace");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process number fits"));
    assert!(
        matches!(wait(Some(pid)), WaitStatus::Stopped(_, Signal::SIGTRAP)),
        "ptrace is not permitted here"
    );
    let options =
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(pid, options).expect("it is stopped");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("it is our tracee");
    let (done, is_done) = channel::<()>();
    let watchdog = thread::spawn(move || {
        if is_done.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
            // It may have ended at this very moment.
            kill(pid, Signal::SIGKILL).ok();
            return true;
        }
        false
    });
    let threads = BTreeMap::new();
    let mut tracer = Tracer {
        pid,
        place,
        order,
        device,
        memory,
        threads,
        calls: vec![],
        hit: None,
        is_over: false,
    };
    let status = tracer.follow();
    let (calls, hit) = (tracer.calls, tracer.hit);
    drop(done);
    assert!(!watchdog.join().expect("it only waits"), "it hangs");
    Traced { status, hit, calls }
}

#[expect(unsafe_code, reason = "the standard library has no other way to be traced from the start")]
fn become_traced(command: &mut Command) {
    // SAFETY: between fork and exec nothing happens but one system call.
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(Into::into)) };
}

/// Waits for a tracee of this very thread: other tests have children of their own.
fn wait(pid: Option<Pid>) -> WaitStatus {
    let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
    waitpid(pid, Some(flags)).expect("the tracee is there until it is waited for")
}

struct Tracer<'a> {
    pid: Pid,
    place: &'a Path,
    order: Order,
    device: &'a mut Device,
    memory: File,
    /// Threads inside a system call, and what is to be done when it ends.
    threads: BTreeMap<Pid, Inside>,
    calls: Vec<Call>,
    hit: Option<Call>,
    /// The one fault has come, and it was not one that stays.
    is_over: bool,
}

/// What is to be done when a call ends.
enum Inside {
    Nothing,
    /// What it made durable is remembered.
    Sync(Call),
    Kill(Call),
    Fail(Errno),
}

impl Tracer<'_> {
    fn follow(&mut self) -> ExitStatus {
        resume(self.pid, None);
        loop {
            match wait(None) {
                WaitStatus::PtraceSyscall(thread) => {
                    self.at_call(thread);
                    resume(thread, None);
                }
                WaitStatus::PtraceEvent(thread, ..)
                | WaitStatus::Stopped(thread, Signal::SIGSTOP) => {
                    resume(thread, None);
                }
                WaitStatus::Stopped(thread, signal) => resume(thread, Some(signal)),
                WaitStatus::Exited(pid, code) if pid == self.pid => {
                    return ExitStatus::from_raw(code << 8);
                }
                WaitStatus::Signaled(pid, signal, _) if pid == self.pid => {
                    return ExitStatus::from_raw(signal as i32);
                }
                _ => {}
            }
        }
    }

    fn at_call(&mut self, thread: Pid) {
        let registers = match ptrace::getregs(thread) {
            Ok(registers) => registers,
            // It was killed meanwhile.
            Err(Errno::ESRCH) => return,
            Err(error) => panic!("the registers of a stopped thread: {error}"),
        };
        match self.threads.remove(&thread) {
            None => {
                let inside = self.enter(thread, registers);
                self.threads.insert(thread, inside);
            }
            Some(inside) => self.leave(thread, registers, inside),
        }
    }

    fn enter(&mut self, thread: Pid, mut registers: user_regs_struct) -> Inside {
        let caller = Caller { thread, registers: &registers, memory: &self.memory };
        let Some(call) = caller.call(self.place) else { return Inside::Nothing };
        let fault = self.fault_at(&call);
        let Some(fault) = fault.filter(|_| !self.is_over) else {
            return if call.kind == Kind::Sync { Inside::Sync(call) } else { Inside::Nothing };
        };
        if self.hit.is_none() {
            self.hit = Some(call.clone());
        }
        self.is_over = !matches!(fault, Fault::FromHereOn(_));
        match fault {
            Fault::Before => {
                self.kill();
                Inside::Nothing
            }
            Fault::After => Inside::Kill(call),
            Fault::Torn => {
                call.halve(&mut registers);
                set(thread, registers);
                Inside::Kill(call)
            }
            Fault::Once(errno) | Fault::FromHereOn(errno) => {
                // No call has this number: nothing is done.
                registers.orig_rax = u64::MAX;
                set(thread, registers);
                Inside::Fail(errno)
            }
        }
    }

    /// What befalls this call.
    fn fault_at(&mut self, call: &Call) -> Option<Fault> {
        let Order { fault, at } = self.order;
        if !fault.befalls(call.kind) {
            return None;
        }
        if self.hit.is_none() {
            self.calls.push(call.clone());
        }
        let is_now = self.calls.len() as u64 == at;
        is_now.then_some(fault)
    }

    fn leave(&mut self, thread: Pid, mut registers: user_regs_struct, inside: Inside) {
        let succeeded = registers.rax.cast_signed() >= 0;
        match inside {
            Inside::Nothing => {}
            Inside::Sync(call) if succeeded => self.device.flush(&call),
            Inside::Sync(_) => {}
            Inside::Kill(call) => {
                if call.kind == Kind::Sync && succeeded {
                    self.device.flush(&call);
                }
                self.kill();
            }
            Inside::Fail(errno) => {
                registers.rax = (-i64::from(errno as i32)).cast_unsigned();
                set(thread, registers);
            }
        }
    }

    fn kill(&self) {
        kill(self.pid, Signal::SIGKILL).expect("it is our tracee");
    }
}

fn resume(thread: Pid, signal: Option<Signal>) {
    match ptrace::syscall(thread, signal) {
        // It was killed meanwhile.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("a stopped thread goes on: {error}"),
    }
}

fn set(thread: Pid, registers: user_regs_struct) {
    ptrace::setregs(thread, registers).expect("it is stopped");
}
