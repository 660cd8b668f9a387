//! That it builds is what is tested; a few of the crates are put to use so that
//! they are linked.

use std::sync::Arc;

#[derive(serde::Serialize)]
struct Shared {
    std: Arc<std::sync::Mutex<u32>>,
    parked: Arc<parking_lot::Mutex<u32>>,
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
    assert_eq!(map.len(), 4);
    assert_eq!((0..4).filter_map(|number| cache.get(&number)).sum::<i32>(), 6);

    let old = old_parking_lot::RwLock::new(4);
    assert_eq!(*old.read() + *spin::Mutex::new(3).lock(), 7);
    let lru = quick_cache::sync::Cache::new(2);
    lru.insert(1, 2);
    assert_eq!(lru.get(&1), Some(2));
    let slab = sharded_slab::Slab::new();
    let key = slab.insert(7).unwrap();
    assert_eq!(*slab.get(key).unwrap(), 7);
    assert_eq!(**arc_swap::ArcSwap::from_pointee(7).load(), 7);

    let (sender, receiver) = flume::unbounded();
    let (other, end) = crossbeam::channel::bounded(1);
    crossbeam::thread::scope(|scope| {
        scope.spawn(|_| sender.send(7).unwrap());
        scope.spawn(|_| other.send(receiver.recv().unwrap()).unwrap());
    })
    .unwrap();
    assert_eq!(end.recv(), Ok(7));

    fn is_serialized<T: serde::Serialize>(_: &T) {}
    is_serialized(&Shared { std: Arc::default(), parked: Arc::default() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokio_locks_too() {
    let value = Arc::new(tokio::sync::Mutex::new(0));
    let changed = Arc::clone(&value);
    tokio::spawn(async move { *changed.lock().await += 1 }).await.unwrap();
    assert_eq!(*value.lock().await, 1);
}
