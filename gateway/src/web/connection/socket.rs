//! The socket of a connection, which tells the account what goes in and out.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::account::Account;
use crate::web::places::Place;

/// The socket, under TLS where there is any.
pub struct Watched {
    stream: TcpStream,
    account: Arc<Account>,
    _place: Place,
}

impl Watched {
    /// The place is free again when the socket is closed.
    pub fn new(stream: TcpStream, account: Arc<Account>, place: Place) -> Self {
        Self { stream, account, _place: place }
    }

    fn wrote(&self, written: &Poll<io::Result<usize>>, offered: usize) {
        self.account.wrote(matches!(written, Poll::Ready(Ok(count)) if *count >= offered));
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.account.ends_at_once() {
            // Or the kernel would go on offering what nobody takes. An error costs memory only.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.account.read();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.wrote(&written, buffer.len());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.wrote(&written, buffers.iter().map(|buffer| buffer.len()).sum());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
