//! As much of HTTP as a model server needs: one request for each connection, one answer.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// No program sends more about one task.
const BODY_BYTES_MAX: u64 = 32 << 20;

/// No program has more to say before the body.
const HEAD_BYTES_MAX: u64 = 64 << 10;

/// A program that begins a request also ends it.
const READ_MAX: Duration = Duration::from_secs(30);

/// One request, and the way back.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) path: String,
    /// What was sent, if it is JSON.
    pub(super) body: Value,
    stream: TcpStream,
}

/// An answer that comes in pieces. One that is dropped before its end is cut off.
#[derive(Debug)]
pub(super) struct Stream<'a>(&'a mut TcpStream);

impl Call {
    pub(super) fn read(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(READ_MAX))?;
        let mut input = BufReader::new(stream.try_clone()?);
        let mut head = (&mut input).take(HEAD_BYTES_MAX);
        let mut path = String::new();
        let (mut length, mut is_chunked) = (0, false);
        for number in 0.. {
            let mut line = String::new();
            head.read_line(&mut line)?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if number == 0 {
                let target = line.split(' ').nth(1).unwrap_or_default();
                path = target.split('?').next().unwrap_or_default().to_owned();
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "transfer-encoding" => is_chunked = value.contains("chunked"),
                _ => {}
            }
        }
        let mut bytes = Vec::new();
        if is_chunked {
            chunks(&mut input, &mut bytes)?;
        } else {
            input.take(length.min(BODY_BYTES_MAX)).read_to_end(&mut bytes)?;
        }
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Self { path, body, stream })
    }

    /// Answers with everything at once.
    pub(super) fn whole(
        &mut self,
        status: u16,
        headers: &[(&str, String)],
        body: &str,
    ) -> io::Result<()> {
        let more: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(
            self.stream,
            "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {more}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Begins an answer that comes in pieces.
    pub(super) fn stream(&mut self) -> io::Result<Stream<'_>> {
        self.stream.write_all(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\
              cache-control: no-store\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        Ok(Stream(&mut self.stream))
    }

    /// Whether the other side has hung up.
    pub(super) fn is_gone(&self) -> bool {
        let peek = || {
            self.stream.set_nonblocking(true)?;
            let peeked = self.stream.peek(&mut [0]);
            self.stream.set_nonblocking(false)?;
            peeked
        };
        match peek() {
            Ok(count) => count == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

impl Stream<'_> {
    pub(super) fn send(&mut self, event: &String) -> io::Result<()> {
        write!(self.0, "{:x}\r\n{event}\r\n", event.len())?;
        self.0.flush()
    }

    pub(super) fn end(self) -> io::Result<()> {
        self.0.write_all(b"0\r\n\r\n")
    }
}

fn chunks(input: &mut impl io::BufRead, bytes: &mut Vec<u8>) -> io::Result<()> {
    while (bytes.len() as u64) < BODY_BYTES_MAX {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let length = line.trim_end().split(';').next().unwrap_or_default();
        let length = u64::from_str_radix(length, 16).unwrap_or(0);
        input.by_ref().take(length).read_to_end(bytes)?;
        input.read_line(&mut String::new())?;
        if length == 0 {
            break;
        }
    }
    Ok(())
}
