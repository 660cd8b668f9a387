use std::{net::SocketAddr, time::Duration};

use feed::{Client, Quote};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// A feed on which each symbol has one price. It drops its first `lost`
/// connections as soon as they ask for something.
async fn serve(mut lost: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let is_lost = lost > 0;
            lost = lost.saturating_sub(1);
            tokio::spawn(answer(stream, is_lost));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, is_lost: bool) {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if is_lost {
            return;
        }
        let symbol = line.strip_prefix("subscribe ").expect("all that is said");
        let quote = format!("{symbol} {}00\n", symbol.len());
        // Once as it is, and once more as it changes: to the same.
        writer.write_all(quote.repeat(2).as_bytes()).await.expect("the client listens");
    }
}

fn quote(symbol: &str, price: u64) -> Option<Quote> {
    Some(Quote { symbol: symbol.to_owned(), price })
}

#[tokio::test]
async fn a_subscriber_gets_prices() {
    let client = Client::connect(serve(0).await).await.expect("connects");
    let mut quotes = client.subscribe("OAT").await;
    assert_eq!(quotes.recv().await, quote("OAT", 300));
}

#[tokio::test]
async fn a_late_subscriber_gets_the_latest_price_first() {
    let client = Client::connect(serve(0).await).await.expect("connects");
    let mut early = client.subscribe("WHEAT").await;
    assert_eq!(early.recv().await, quote("WHEAT", 500));
    let mut late = client.subscribe("WHEAT").await;
    assert_eq!(late.recv().await, quote("WHEAT", 500));
}

#[tokio::test]
async fn a_lost_connection_is_restored() {
    let client = Client::connect(serve(1).await).await.expect("connects");
    let mut quotes = client.subscribe("RYE").await;
    let quote_in_time = timeout(Duration::from_secs(5), quotes.recv()).await;
    assert_eq!(quote_in_time.expect("comes again"), quote("RYE", 300));
}
