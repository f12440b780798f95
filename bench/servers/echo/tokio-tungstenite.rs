//! The echo server of the examples of tokio-tungstenite.

use futures_util::{future, StreamExt, TryStreamExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).expect("a port");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("a free port");
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(echo(stream));
    }
}

async fn echo(stream: TcpStream) {
    let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let (write, read) = socket.split();
    // Only text and binary messages: the library answers the others.
    let _ = read.try_filter(|message| future::ready(message.is_text() || message.is_binary())).forward(write).await;
}
