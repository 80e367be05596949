//! A model server on the loopback: it speaks what the agent programs speak, and fails as it is told.
//!
//! It reads the prompt to know what is asked of it, so a program that sends something else than
//! what `looper` gave it gets no useful answer. Whole answers, streams that are cut and streams
//! that never begin need bytes at the right moment and nothing else of HTTP, so there is no
//! framework in it.

mod chat;
mod fault;
mod gemini;
mod http;
mod model;
mod request;
mod responses;
mod turn;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) use fault::Fault;
use http::Call;
pub(crate) use model::on;
use model::{Answer, Model, Rule, Seen};
use request::{Dialect, Request};
pub(crate) use turn::Tokens;
use turn::Turn;

/// How often a silent answer looks whether its listener is still there.
const LOOK: Duration = Duration::from_millis(50);

/// A silence ends with its test at the latest.
const SILENCE_MAX: Duration = Duration::from_secs(900);

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    model: Mutex<Model>,
    is_over: AtomicBool,
}

impl Server {
    /// Starts one whose implementers write into this project.
    pub(crate) fn start(project: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let model = Mutex::new(Model::new(project));
        let shared = Arc::new(Shared { model, is_over: AtomicBool::new(false) });
        let theirs = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &theirs));
        Self { address, shared }
    }

    /// Where a program finds it, with what comes after the host.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From here on calls that a rule fits are answered by it; the first that fits counts.
    pub(crate) fn rule(&self, rule: Rule) {
        self.shared.model().rules.push(rule);
    }

    /// From here on everything is answered well.
    pub(crate) fn lift(&self) {
        self.shared.model().rules.clear();
    }

    /// What has been asked so far, helper calls aside.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.model().seen.clone()
    }
}

impl Server {
    /// What all answers to a stage of a task have said they took.
    pub(crate) fn given(&self, stage: &str, task: &Value) -> Tokens {
        let seen = self.seen();
        let its = seen.iter().filter(|seen| seen.stage.name() == stage && *task == *seen.task);
        its.fold(Tokens::default(), |sum, seen| sum + seen.tokens)
    }
}

impl Shared {
    fn model(&self) -> std::sync::MutexGuard<'_, Model> {
        self.model.lock().expect("nobody panics while holding it")
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener, which may be gone already.
        drop(TcpStream::connect(self.address));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_over() {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        // Programs hang up whenever they like: nobody has to hear of it.
        thread::spawn(move || drop(serve(stream, &shared)));
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut call = Call::read(stream)?;
    let Some(dialect) = Dialect::of(&call.path) else {
        let models = r#"{"object":"list","data":[]}"#;
        let is_list = call.path.ends_with("/models");
        let (status, body) = if is_list { (200, models) } else { (404, "{}") };
        return call.whole(status, &[], body);
    };
    let request = Request::read(dialect, &call.path, &call.body);
    let answer = shared.model().answer(&request);
    match answer {
        Answer::Turn(turn) => good(&mut call, &request, &turn),
        Answer::Fault(Fault::Cut) => {
            let turn = Turn::text("This answer will be cut in the middle of the");
            let events = events(&request, &turn);
            let mut stream = call.stream()?;
            events.iter().take(events.len() / 2).try_for_each(|event| stream.send(event))
        }
        Answer::Fault(Fault::Silence) => {
            let _stream = call.stream()?;
            let began = Instant::now();
            while !shared.is_over() && began.elapsed() < SILENCE_MAX && !call.is_gone() {
                thread::sleep(LOOK);
            }
            Ok(())
        }
        Answer::Fault(fault) => {
            let (status, headers, body) = fault.refusal(dialect);
            call.whole(status, &headers, &body.to_string())
        }
    }
}

fn good(call: &mut Call, request: &Request, turn: &Turn) -> io::Result<()> {
    if !request.is_streaming {
        return call.whole(200, &[], &whole(request, turn).to_string());
    }
    let events = events(request, turn);
    let mut stream = call.stream()?;
    events.iter().try_for_each(|event| stream.send(event))?;
    stream.end()
}

/// One event of a stream, as it is sent.
fn events(request: &Request, turn: &Turn) -> Vec<String> {
    match request.dialect {
        Dialect::Responses => responses::events(request, turn),
        Dialect::Chat => chat::events(request, turn),
        Dialect::Gemini => gemini::events(request, turn),
    }
}

fn whole(request: &Request, turn: &Turn) -> Value {
    match request.dialect {
        Dialect::Responses => responses::whole(request, turn),
        Dialect::Chat => chat::whole(request, turn),
        Dialect::Gemini => gemini::whole(request, turn),
    }
}
