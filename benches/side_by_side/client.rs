//! Scrapes as Prometheus does, over a connection that stays open, and takes the time to the last byte.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tokio::time::Instant;

/// Scrapes `HOST:PORT` for `scrapes` times or `seconds`, whichever comes first: `HOST:PORT plain|gzip SCRAPES
/// SECONDS CONNECTIONS PAUSE_MILLIS`. Prints `{"millis": […], "bytes": …, "seconds": …}`.
pub(crate) fn run(options: &[&str]) {
    let [address, encoding, scrapes, seconds, connections, pause] = options else {
        println!("client: HOST:PORT plain|gzip SCRAPES SECONDS CONNECTIONS PAUSE_MILLIS");
        return;
    };
    let scrapes: usize = scrapes.parse().expect("a number of scrapes");
    let limit = Duration::from_secs_f64(seconds.parse().expect("a number of seconds"));
    let pause = Duration::from_millis(pause.parse().expect("a pause"));
    let connections: usize = connections.parse().expect("a number of connections");
    let started = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|_| {
            let mut connection = Connection::new(address, *encoding == "gzip");
            std::thread::spawn(move || {
                let mut taken = Vec::new();
                while taken.len() < scrapes && started.elapsed() < limit {
                    std::thread::sleep(pause);
                    let began = Instant::now();
                    let bytes = connection.scrape().expect("a whole response");
                    taken.push((began.elapsed().as_secs_f64() * 1000.0, bytes));
                }
                taken
            })
        })
        .collect();
    let taken: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().expect("scrapes")).collect();
    let seconds = started.elapsed().as_secs_f64();
    let bytes = taken.last().map_or(0, |(_, bytes)| *bytes);
    let millis: Vec<f64> = taken.into_iter().map(|(millis, _)| millis).collect();
    println!("{}", serde_json::json!({ "millis": millis, "bytes": bytes, "seconds": seconds }));
}

struct Connection {
    address: String,
    request: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    fn new(address: &str, gzip: bool) -> Self {
        let encoding = if gzip { "Accept-Encoding: gzip\r\n" } else { "" };
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n{encoding}\r\n");
        Self { address: address.to_owned(), request, stream: None, buffer: vec![0; 256 * 1024], filled: 0 }
    }

    /// Asks once and reads the whole answer; returns the length of its body.
    fn scrape(&mut self) -> io::Result<usize> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(&self.address)?,
        };
        stream.set_nodelay(true)?;
        stream.write_all(self.request.as_bytes())?;
        self.filled = 0;
        let head_length = loop {
            self.fill(&mut stream)?;
            let head = self.buffer.get(..self.filled).unwrap_or_default();
            if let Some(end) = memchr::memmem::find(head, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = self.buffer.get(..head_length).unwrap_or_default();
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") && !head.starts_with("http/1.0 200") {
            return Err(io::Error::other(head));
        }
        let first = self.filled - head_length;
        self.buffer.copy_within(head_length..self.filled, 0);
        self.filled = first;
        let header = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
        };
        // Python's server speaks HTTP/1.0: one answer a connection.
        let stays_open = head.starts_with("http/1.1") && header("connection") != Some("close");
        if let Some(length) = header("content-length") {
            let length: usize = length.parse().map_err(io::Error::other)?;
            let mut read = first;
            while read < length {
                self.filled = 0;
                self.fill(&mut stream)?;
                read += self.filled;
            }
            self.stream = Some(stream).filter(|_| stays_open);
            return Ok(length);
        }
        if header("transfer-encoding") == Some("chunked") {
            let length = self.read_chunks(&mut stream)?;
            self.stream = Some(stream).filter(|_| stays_open);
            return Ok(length);
        }
        // As HTTP/1.0 does: the end of the connection is that of the body.
        let mut read = first;
        loop {
            match stream.read(&mut self.buffer)? {
                0 => return Ok(read),
                more => read += more,
            }
        }
    }

    fn fill(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        let room = self.buffer.get_mut(self.filled..).filter(|room| !room.is_empty());
        let read = stream.read(room.ok_or_else(|| io::Error::other("a head of 256 KiB"))?)?;
        self.filled += read;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Reads the chunks to the last one; returns the sum of their lengths.
    fn read_chunks(&mut self, stream: &mut TcpStream) -> io::Result<usize> {
        let mut length = 0;
        let mut at = 0;
        loop {
            let size_end = loop {
                let rest = self.buffer.get(at..self.filled).unwrap_or_default();
                if let Some(end) = memchr::memmem::find(rest, b"\r\n") {
                    break at + end;
                }
                self.buffer.copy_within(at..self.filled, 0);
                self.filled -= at;
                at = 0;
                self.fill(stream)?;
            };
            let size = self.buffer.get(at..size_end).unwrap_or_default();
            let size = usize::from_str_radix(&String::from_utf8_lossy(size), 16).map_err(io::Error::other)?;
            length += size;
            at = size_end + 2;
            let mut left = size + 2;
            while self.filled - at < left {
                left -= self.filled - at;
                at = 0;
                self.filled = 0;
                self.fill(stream)?;
            }
            at += left;
            if size == 0 {
                return Ok(length);
            }
        }
    }
}
