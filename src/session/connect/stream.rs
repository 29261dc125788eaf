//! What tokio-postgres speaks over: a stream that is encrypted already where it is to be, and reads what the server asks
//! for before tokio-postgres can answer it.

use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::postgres::{AuthGuard, AuthMethod};

/// How the bytes go.
pub(super) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

pub(super) struct GuardedStream {
    wire: Wire,
    guard: AuthGuard,
    /// `tls-server-end-point`, where there is one.
    binding: Option<Vec<u8>>,
    greeting: Arc<Greeting>,
}

/// What the server has said of the session before it was ready.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    method: OnceLock<AuthMethod>,
    pid: OnceLock<i32>,
}

impl Greeting {
    /// How it authenticates the session, once it has asked.
    pub(super) fn method(&self) -> Option<AuthMethod> {
        self.method.get().copied()
    }

    /// The process that it gives to the session, once it has named it.
    pub(super) fn pid(&self) -> Option<i32> {
        self.pid.get().copied()
    }

    fn take(&self, guard: &AuthGuard) {
        // The first of each counts.
        if let Some(method) = guard.method() {
            let _ = self.method.set(method);
        }
        if let Some(pid) = guard.pid() {
            let _ = self.pid.set(pid);
        }
    }
}

/// Hands a stream over as it is: the handshake has been made.
pub(super) struct Handshaken;

impl GuardedStream {
    pub(super) fn new(wire: Wire, guard: AuthGuard, binding: Option<Vec<u8>>) -> Self {
        Self { wire, guard, binding, greeting: Arc::default() }
    }

    pub(super) fn greeting(&self) -> Arc<Greeting> {
        Arc::clone(&self.greeting)
    }
}

impl TlsConnect<GuardedStream> for Handshaken {
    type Stream = GuardedStream;
    type Error = io::Error;
    type Future = Ready<io::Result<GuardedStream>>;

    fn connect(self, stream: GuardedStream) -> Self::Future {
        ready(Ok(stream))
    }
}

impl TlsStream for GuardedStream {
    fn channel_binding(&self) -> ChannelBinding {
        self.binding.clone().map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(match &mut this.wire {
            Wire::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        })?;
        if !this.guard.is_done() {
            let read = this.guard.read(&buf.filled()[before..]);
            this.greeting.take(&this.guard);
            read.map_err(|refusal| io::Error::new(io::ErrorKind::PermissionDenied, refusal))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Wire::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Wire::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Wire::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Tcp(stream) => stream.is_write_vectored(),
            Wire::Unix(stream) => stream.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
