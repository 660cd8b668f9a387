//! That it builds is what is tested; a few of the crates are put to use so that
//! they are linked.

use std::str::FromStr;

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

#[tokio::test]
async fn a_server_a_client_and_a_database_work() {
    let router = axum::Router::new().route("/", axum::routing::get(|| async { "seven" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{address}/")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "seven");
    server.abort();

    let options = SqliteConnectOptions::from_str("sqlite::memory:").unwrap();
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let row: (i64,) = sqlx::query_as("select 7").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.0, 7);
    connection.close().await.unwrap();
}

#[test]
fn crates_that_lock_do_so() {
    let map = dashmap::DashMap::new();
    let cache = moka::sync::Cache::new(8);
    rayon::scope(|scope| {
        for number in 0..4 {
            let (map, cache) = (&map, &cache);
            scope.spawn(move |_| {
                map.insert(number, number);
                cache.insert(number, number);
            });
        }
    });
    assert_eq!((map.len(), cache.get(&3)), (4, Some(3)));
    let folder = tempfile::tempdir().unwrap();
    let database = sled::open(folder.path()).unwrap();
    database.insert("key", "value").unwrap();
    assert_eq!(&*database.get("key").unwrap().unwrap(), b"value");
    async_std::task::block_on(async {
        let lock = async_std::sync::Mutex::new(7);
        assert_eq!(*lock.lock().await, 7);
    });
    assert!(regex::Regex::new("^[a-z]+$").unwrap().is_match("seven"));
}
