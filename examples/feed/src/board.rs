use std::{collections::HashMap, str::FromStr};

use tokio::sync::{Mutex, mpsc};

/// A price, in cents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub symbol: String,
    pub price: u64,
}

impl FromStr for Quote {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (symbol, price) = line.split_once(' ').ok_or(())?;
        Ok(Self { symbol: symbol.to_owned(), price: price.parse().map_err(|_| ())? })
    }
}

/// Who wants to know which price, and the latest of each.
#[derive(Debug)]
pub struct Board {
    subscribers: Mutex<HashMap<String, Vec<mpsc::UnboundedSender<Quote>>>>,
    latest: Mutex<HashMap<String, Quote>>,
}

impl Board {
    /// A board without subscribers and prices.
    pub fn new() -> Self {
        Self { subscribers: Mutex::new(HashMap::new()), latest: Mutex::new(HashMap::new()) }
    }

    /// Subscribes to a symbol. The latest price comes first, if it is known.
    pub async fn subscribe(&self, symbol: &str) -> mpsc::UnboundedReceiver<Quote> {
        let (quotes, receiver) = mpsc::unbounded_channel();
        let mut subscribers = self.subscribers.lock().await;
        // With the list locked, so that no price slips through in between.
        if let Some(quote) = self.latest.lock().await.get(symbol) {
            let _ = quotes.send(quote.clone());
        }
        subscribers.entry(symbol.to_owned()).or_default().push(quotes);
        receiver
    }

    /// Keeps a price, and passes it on to whoever subscribed to it.
    pub async fn publish(&self, quote: Quote) {
        let mut latest = self.latest.lock().await;
        latest.insert(quote.symbol.clone(), quote.clone());
        // With the price locked, so that nobody gets an older one after it.
        if let Some(subscribers) = self.subscribers.lock().await.get_mut(&quote.symbol) {
            subscribers.retain(|subscriber| subscriber.send(quote.clone()).is_ok());
        }
    }

    /// Every symbol that anybody subscribed to.
    pub async fn symbols(&self) -> Vec<String> {
        self.subscribers.lock().await.keys().cloned().collect()
    }
}
