// editions: 2015 2021 2024

use std::error::Error;
use std::sync::mpsc::{
    self, channel, sync_channel, IntoIter, Iter, Receiver, RecvError, RecvTimeoutError, SendError,
    Sender, SyncSender, TryIter, TryRecvError, TrySendError,
};
use std::thread;
use std::time::Duration;

const MOMENT: Duration = Duration::from_millis(10);

struct Owner {
    sender: SyncSender<String>,
    receiver: Receiver<String>,
}

fn generic<S, R: IntoIterator<Item = S>>(receiver: R) -> Vec<S> {
    receiver.into_iter().collect()
}

fn unbounded() {
    let (sender, receiver): (Sender<u8>, Receiver<u8>) = channel();
    println!("{:?} {:?}", receiver.try_recv(), receiver.recv_timeout(MOMENT));
    sender.send(1).unwrap();
    println!("{:?}", receiver.recv());
    let other = sender.clone();
    let thread = thread::spawn(move || {
        for number in 0..5 {
            thread::sleep(MOMENT / 5);
            other.send(number).unwrap();
        }
    });
    let received: Vec<u8> = receiver.iter().take(3).collect();
    thread.join().unwrap();
    println!("{:?} {:?}", received, receiver.try_iter().collect::<Vec<_>>());
    sender.send(7).unwrap();
    println!("{:?}", receiver.recv_timeout(MOMENT));
    sender.send(8).unwrap();
    drop(sender);
    println!(
        "{:?} {:?}",
        receiver.recv_timeout(Duration::new(0, 0)),
        receiver.recv_timeout(MOMENT)
    );
    println!("{:?} {:?}", receiver.recv(), receiver.try_recv());

    let (sender, receiver) = mpsc::channel();
    drop(receiver);
    let SendError(back) = sender.send("back".to_string()).unwrap_err();
    println!("{}", back);
}

fn bounded() {
    let (sender, receiver) = sync_channel(1);
    let owner = Owner { sender: sender, receiver: receiver };
    owner.sender.send("a".to_string()).unwrap();
    match owner.sender.try_send("b".to_string()) {
        Err(TrySendError::Full(text)) => println!("full {}", text),
        other => println!("{:?}", other),
    }
    let sender = owner.sender.clone();
    let thread = thread::spawn(move || sender.send("c".to_string()));
    thread::sleep(MOMENT);
    println!("{:?} {:?}", owner.receiver.recv(), owner.receiver.recv());
    println!("{:?}", thread.join().unwrap());
    let Owner { sender, receiver } = owner;
    drop(receiver);
    println!("{:?}", sender.try_send("d".to_string()));
    println!("{:?}", sender.send("e".to_string()));
}

fn rendezvous() {
    let (sender, receiver) = sync_channel::<u8>(0);
    println!("{:?}", sender.try_send(1));
    let sending = sender.clone();
    let thread = thread::spawn(move || sending.send(2));
    println!("{:?} {:?}", receiver.recv(), thread.join().unwrap());
    let thread = thread::spawn(move || {
        let received = receiver.recv();
        (received, receiver)
    });
    thread::sleep(MOMENT);
    sender.send(3).unwrap();
    let (received, receiver) = thread.join().unwrap();
    println!("{:?}", received);
    let sending = sender.clone();
    let thread = thread::spawn(move || sending.send(4));
    thread::sleep(MOMENT);
    drop(receiver);
    println!("{:?} {:?}", thread.join().unwrap(), sender.send(5));
}

fn iterators() {
    let (sender, receiver) = channel();
    for number in 0..6 {
        sender.send(number).unwrap();
    }
    {
        let mut tries: TryIter<u8> = receiver.try_iter();
        println!("{:?} {:?}", tries.next(), tries.size_hint());
    }
    drop(sender);
    {
        let mut iter: Iter<u8> = receiver.iter();
        println!("{:?}", iter.next());
    }
    for number in &receiver {
        println!("{}", number);
        if number == 3 {
            break;
        }
    }
    let mut own: IntoIter<u8> = receiver.into_iter();
    println!("{:?}", own);
    println!("{:?} {:?} {:?}", own.next(), own.next(), own.next());

    let (sender, receiver) = sync_channel(3);
    for number in 0..3 {
        sender.send(number).unwrap();
    }
    drop(sender);
    println!("{:?} {:?}", generic(&receiver), generic(receiver));
}

fn errors() -> Result<(), Box<dyn Error>> {
    let (sender, receiver) = sync_channel::<&'static str>(0);
    let failed: Vec<Box<dyn Error>> = vec![
        Box::new(receiver.try_recv().unwrap_err()),
        Box::new(receiver.recv_timeout(MOMENT).unwrap_err()),
        Box::new(sender.try_send("full").unwrap_err()),
        Box::new(TrySendError::from(SendError(1))),
        Box::new(TryRecvError::from(RecvError)),
        Box::new(RecvTimeoutError::from(RecvError)),
    ];
    for error in &failed {
        println!("{} {:?}", error, error);
    }
    drop(receiver);
    sender.send("nobody")?;
    Ok(())
}

fn main() {
    unbounded();
    bounded();
    rendezvous();
    iterators();
    println!("{:?}", errors().map_err(|error| error.to_string()));

    // A receiver goes to another thread, and a channel is sent through a channel.
    let (sender, receiver) = channel::<SyncSender<Receiver<u8>>>();
    let thread = thread::spawn(move || {
        let back = receiver.recv().unwrap();
        let (sender, receiver) = channel();
        sender.send(42).unwrap();
        back.send(receiver).unwrap();
    });
    let (back, got) = sync_channel(1);
    sender.send(back).unwrap();
    println!("{:?}", got.recv().unwrap().recv());
    thread.join().unwrap();
}
