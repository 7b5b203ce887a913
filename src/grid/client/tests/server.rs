//! A server that answers each request by a script, byte for byte, and keeps what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One step of an answer.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes one by one, so far apart; ends when the other side goes.
    Trickle(Vec<u8>, Duration),
    /// Says nothing more until the other side goes.
    Hang,
    /// Closes the connection.
    Close,
    /// Breaks the connection off, so that the other side sees a reset.
    Reset,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<String>,
    connections: usize,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers the first request by the first script and so on; the last one repeats.
    pub(super) async fn answering(scripts: Vec<Vec<Step>>) -> Self {
        Self::start(scripts, None).await
    }

    /// The same for one whole HTTP answer.
    pub(super) async fn saying(answer: impl AsRef<[u8]>) -> Self {
        Self::answering(vec![vec![Step::Send(answer.as_ref().to_vec())]]).await
    }

    /// The same over TLS.
    pub(super) async fn over_tls(tls: rustls::ServerConfig, scripts: Vec<Vec<Step>>) -> Self {
        Self::start(scripts, Some(tokio_rustls::TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn start(scripts: Vec<Vec<Step>>, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                let mut connections = tokio::task::JoinSet::new();
                let scripts = Arc::new(scripts);
                while let Ok((stream, _)) = listener.accept().await {
                    seen.lock().unwrap().connections += 1;
                    connections.spawn(connection(
                        stream,
                        tls.clone(),
                        Arc::clone(&seen),
                        Arc::clone(&scripts),
                    ));
                }
            }
        });
        Self { address, seen, task }
    }

    /// The base URL of the API that this server plays.
    pub(super) fn url(&self) -> String {
        format!("http://{}/grid/v1", self.address)
    }

    /// The heads of all requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }
}

async fn connection(
    mut stream: TcpStream,
    tls: Option<tokio_rustls::TlsAcceptor>,
    seen: Arc<Mutex<Seen>>,
    scripts: Arc<Vec<Vec<Step>>>,
) {
    match tls {
        None => {
            if serve(&mut stream, &seen, &scripts).await {
                stream.set_zero_linger().unwrap();
            }
        }
        Some(tls) => {
            if let Ok(mut stream) = tls.accept(stream).await {
                serve(&mut stream, &seen, &scripts).await;
            }
        }
    }
}

/// Answers the requests of one connection; true if it is to be reset.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    seen: &Mutex<Seen>,
    scripts: &[Vec<Step>],
) -> bool {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return false,
            }
        }
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(String::from_utf8(head).unwrap());
            seen.requests.len() - 1
        };
        for step in scripts.get(number).or(scripts.last()).unwrap() {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(bytes).await.is_err() {
                        return false;
                    }
                    let _ = stream.flush().await;
                }
                Step::Trickle(bytes, pause) => {
                    for byte in bytes {
                        if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
                            return false;
                        }
                        tokio::time::sleep(*pause).await;
                    }
                }
                Step::Hang => {
                    let _ = stream.read(&mut [0]).await;
                    return false;
                }
                Step::Close => {
                    let _ = stream.shutdown().await;
                    return false;
                }
                Step::Reset => return true,
            }
        }
    }
}

/// A whole answer with its length.
pub(super) fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut answer =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// A 200 with JSON.
pub(super) fn json(body: impl AsRef<[u8]>) -> Vec<u8> {
    answer("200 OK", "Content-Type: application/json\r\n", body)
}

/// The head of a 200 that promises so many bytes.
pub(super) fn head(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n")
        .into_bytes()
}

/// The bytes, packed.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
