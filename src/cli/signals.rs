//! The signals that end a run. They are heard from the first moment on; what answers them first
//! brings the work tree back.

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Exit;
use super::failure::Failure;
use crate::host::process::{self, Cancel};

/// Ctrl-C, an end, a terminal that was closed, and the key that ends what does not listen: agents
/// run in groups of their own, so none of them reaches an agent by itself.
const KINDS: [fn() -> SignalKind; 4] =
    [SignalKind::interrupt, SignalKind::terminate, SignalKind::hangup, SignalKind::quit];

/// From here on no signal ends this process before everything is put back.
pub(super) struct Signals {
    runtime: Runtime,
    streams: Vec<Signal>,
}

impl Signals {
    /// Begins to listen. What comes before [`block_on`](Self::block_on) is remembered.
    pub(super) fn listen() -> Result<Self, Failure> {
        let fails = |error: std::io::Error| Failure::of(Exit::Machine, &error).before_agents();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(fails)?;
        let entered = runtime.enter();
        let streams: Result<Vec<Signal>, _> = KINDS.iter().map(|kind| signal(kind())).collect();
        drop(entered);
        Ok(Self { runtime, streams: streams.map_err(fails)? })
    }

    /// Does the work, which hears of the first signal. The ones after it change nothing.
    pub(super) fn block_on<T>(self, work: impl AsyncFnOnce(Cancel) -> T) -> T {
        let (canceller, cancel) = process::canceller();
        self.runtime.block_on(async {
            for mut stream in self.streams {
                let canceller = canceller.clone();
                tokio::spawn(async move {
                    stream.recv().await;
                    canceller.cancel();
                });
            }
            work(cancel).await
        })
    }
}
