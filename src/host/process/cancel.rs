//! The wish that a running program ends.

use tokio::sync::watch;

/// Says that it should end.
#[derive(Clone, Debug)]
pub struct Canceller(watch::Sender<bool>);

/// Hears that it should end. Clones hear the same.
#[derive(Clone, Debug)]
pub struct Cancel(watch::Receiver<bool>);

/// Both ends of a new wish.
pub fn canceller() -> (Canceller, Cancel) {
    let (sender, receiver) = watch::channel(false);
    (Canceller(sender), Cancel(receiver))
}

impl Canceller {
    /// Ends what runs now and what is started later.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl Cancel {
    /// For what nobody can cancel.
    pub fn never() -> Self {
        canceller().1
    }

    /// Whether the wish was made.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Comes back when the wish is made, and never if it no longer can be.
    pub async fn cancelled(&mut self) {
        if self.0.wait_for(|wanted| *wanted).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
