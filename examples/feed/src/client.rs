use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::mpsc,
    time::sleep,
};

use crate::board::{Board, Quote};

const RETRY_AFTER: Duration = Duration::from_millis(200);

/// A connection to a feed, which is restored when it is lost.
#[derive(Debug)]
pub struct Client {
    board: Arc<Board>,
    symbols: mpsc::UnboundedSender<String>,
}

impl Client {
    /// Connects to the feed at `address`.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let board = Arc::new(Board::new());
        let (symbols, wanted) = mpsc::unbounded_channel();
        let link = Link { address, board: Arc::clone(&board), symbols: symbols.clone(), wanted };
        tokio::spawn(link.run(stream));
        Ok(Self { board, symbols })
    }

    /// Subscribes to a symbol. The latest price comes first, if it is known.
    pub async fn subscribe(&self, symbol: &str) -> mpsc::UnboundedReceiver<Quote> {
        let quotes = self.board.subscribe(symbol).await;
        let _ = self.symbols.send(symbol.to_owned());
        quotes
    }
}

/// The client's end of the connection.
struct Link {
    address: SocketAddr,
    board: Arc<Board>,
    /// What has to be asked for again after the connection was lost.
    symbols: mpsc::UnboundedSender<String>,
    wanted: mpsc::UnboundedReceiver<String>,
}

impl Link {
    /// Keeps the connection up until the client is dropped.
    async fn run(mut self, mut stream: TcpStream) {
        while self.serve(stream).await.is_err() {
            stream = loop {
                match TcpStream::connect(self.address).await {
                    Ok(stream) => break stream,
                    Err(_) => sleep(RETRY_AFTER).await,
                }
            };
            for symbol in self.board.symbols().await {
                let _ = self.symbols.send(symbol);
            }
        }
    }

    /// Serves one connection: an error if it is lost, `Ok` when nobody needs it
    /// any more.
    async fn serve(&mut self, mut stream: TcpStream) -> io::Result<()> {
        let (reader, mut writer) = stream.split();
        let mut lines = BufReader::new(reader).lines();
        loop {
            tokio::select! {
                line = lines.next_line() => match line?.as_deref().map(str::parse) {
                    Some(Ok(quote)) => self.board.publish(quote).await,
                    Some(Err(())) => {}
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                },
                symbol = self.wanted.recv() => match symbol {
                    Some(symbol) => {
                        writer.write_all(format!("subscribe {symbol}\n").as_bytes()).await?;
                    }
                    // The client was dropped.
                    None => return Ok(()),
                },
            }
        }
    }
}
