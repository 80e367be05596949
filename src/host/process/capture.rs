//! Takes what a program prints: counts all of it, keeps some of it, holds none of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::command::{Capture, ProcessError};

/// One read takes no more than a pipe holds.
const BUFFER_BYTES: usize = 64 * 1024;

/// What is known about a program while it runs.
pub(super) struct Activity {
    started: Instant,
    last_ms: AtomicU64,
    too_much: AtomicBool,
    failure: Mutex<Option<ProcessError>>,
    /// Rings when the program has to be ended because of what it prints.
    pub(super) alarm: Notify,
}

impl Activity {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            last_ms: AtomicU64::new(0),
            too_much: AtomicBool::new(false),
            failure: Mutex::new(None),
            alarm: Notify::new(),
        }
    }

    /// When it printed something last.
    pub(super) fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    /// It printed something, or silence does not count.
    pub(super) fn touch(&self) {
        let elapsed_ms = self.started.elapsed().as_millis();
        self.last_ms.store(u64::try_from(elapsed_ms).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn too_much(&self) -> bool {
        self.too_much.load(Ordering::Relaxed)
    }

    /// The first failure to keep what was printed.
    pub(super) fn failure(&self) -> Option<ProcessError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn fail(&self, error: ProcessError) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.alarm.notify_one();
    }
}

/// One output stream and the file that takes it.
pub(super) struct Stream {
    path: PathBuf,
    file: File,
    keep_bytes: u64,
    kill_bytes: u64,
    total_bytes: Arc<AtomicU64>,
}

impl Stream {
    pub(super) fn create(capture: &Capture) -> Result<Self, ProcessError> {
        let path = capture.path.clone();
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self {
                path,
                file,
                keep_bytes: capture.keep_bytes,
                kill_bytes: capture.kill_bytes.unwrap_or(u64::MAX),
                total_bytes: Arc::default(),
            }),
            Err(source) => Err(ProcessError::Capture { path, source }),
        }
    }

    /// The count that goes on while the stream is pumped.
    pub(super) fn total_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.total_bytes)
    }

    /// Reads to the end of the stream. A program must never wait for us, so reading goes on when
    /// there is nothing left to keep or the file fails.
    pub(super) async fn pump(mut self, mut pipe: impl AsyncRead + Unpin, activity: Arc<Activity>) {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = match pipe.read(&mut buffer).await {
                Ok(0) => return,
                Ok(count) => count,
                Err(source) if source.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return activity.fail(ProcessError::Capture { path: self.path, source });
                }
            };
            activity.touch();
            let before = self.total_bytes.fetch_add(count as u64, Ordering::Relaxed);
            if let Err(source) = self.keep(before, &buffer[..count]) {
                activity.fail(ProcessError::Capture { path: self.path.clone(), source });
                self.keep_bytes = 0;
            }
            if before + count as u64 > self.kill_bytes {
                activity.too_much.store(true, Ordering::Relaxed);
                activity.alarm.notify_one();
            }
        }
    }

    fn keep(&mut self, before: u64, bytes: &[u8]) -> io::Result<()> {
        let room = self.keep_bytes.saturating_sub(before);
        let count = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        self.file.write_all(&bytes[..count])
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_reported_and_the_program_is_not_held_up() {
        let stream = Stream {
            path: "/dev/full".into(),
            file: OpenOptions::new().write(true).open("/dev/full").unwrap(),
            keep_bytes: u64::MAX,
            kill_bytes: u64::MAX,
            total_bytes: Arc::default(),
        };
        let total = stream.total_bytes();
        let activity = Arc::new(Activity::new(Instant::now()));
        let (mut writer, reader) = tokio::io::duplex(16);
        let pump = tokio::spawn(stream.pump(reader, Arc::clone(&activity)));
        writer.write_all(&[b'x'; 1000]).await.unwrap();
        drop(writer);
        pump.await.unwrap();
        activity.alarm.notified().await;
        let failure = activity.failure().unwrap().to_string();
        assert_eq!(failure, "cannot write /dev/full");
        assert_eq!(total.load(Ordering::Relaxed), 1000);
        assert!(!activity.too_much());
    }
}
