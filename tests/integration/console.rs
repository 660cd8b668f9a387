//! The protocol that `tokio-console` speaks, against a running audit.

use std::{collections::HashMap, time::Duration};

use console_api::instrument::{InstrumentRequest, Update, instrument_client::InstrumentClient};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};
use tonic::transport::{Channel, Endpoint};

use crate::support::{Tool, wait_until};

/// As `tokio-console` does it: `file://localhost/path/to/socket`.
async fn connect(address: &str) -> Channel {
    let path = address.strip_prefix("file://localhost").expect("a Unix socket on this machine");
    let path = path.to_owned();
    Endpoint::from_static("http://localhost")
        .connect_with_connector(tower::service_fn(move |_| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        }))
        .await
        .expect("the printed address is reachable")
}

/// What a console would have on its screens.
#[derive(Debug, Default)]
struct Screens {
    /// File names of where tasks were spawned.
    tasks: Vec<String>,
    /// The names of resources, by id.
    resources: HashMap<u64, String>,
    /// Operations, with the name of their resource.
    async_ops: Vec<(String, Option<u64>)>,
    /// Tasks that have been polled.
    polled: usize,
}

impl Screens {
    fn apply(&mut self, update: Update) {
        if let Some(tasks) = update.task_update {
            for task in tasks.new_tasks {
                let location = task.location.unwrap_or_default();
                self.tasks.push(location.file.unwrap_or_default());
            }
            self.polled = self.polled.max(
                tasks
                    .stats_update
                    .values()
                    .filter(|stats| stats.poll_stats.as_ref().is_some_and(|polls| polls.polls > 0))
                    .count(),
            );
        }
        for resource in update.resource_update.map(|it| it.new_resources).unwrap_or_default() {
            if let Some(id) = resource.id {
                self.resources.insert(id.id, resource.concrete_type);
            }
        }
        for operation in update.async_op_update.map(|it| it.new_async_ops).unwrap_or_default() {
            let resource = operation.resource_id.map(|id| id.id);
            self.async_ops.push((operation.source, resource));
        }
    }

    /// The test's tasks, its mutex, and who waits for that.
    fn are_complete(&self) -> bool {
        let is_mutex = |id: &Option<u64>| {
            id.and_then(|id| self.resources.get(&id))
                .is_some_and(|name| name.contains("Mutex") || name.contains("Semaphore"))
        };
        self.tasks.iter().filter(|file| file.ends_with("long_lived.rs")).count() >= 1
            && self.polled >= 1
            && self.resources.values().any(|name| name == "Mutex")
            && self.async_ops.iter().any(|(_, resource)| is_mutex(resource))
    }
}

#[test]
fn the_console_protocol_shows_tasks_resources_and_async_operations_of_a_running_audit() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let gate = folder.path().join("gate");
    let running = Tool::new("")
        .args(&["-p", "surroundings", "--test", "long_lived"])
        .args(&["--console", "--ignored", "--exact", "a_test_that_goes_on_until_it_is_told"])
        .args(&["--time-limit", "120s"])
        .env("FIXTURE_GATE", &gate)
        .start();
    let address = wait_until("an address for tokio-console", Duration::from_secs(400), || {
        let printed = running.stderr();
        let from = printed.find("file://localhost/")?;
        let address = printed[from..].split([' ', '\n', '`', '\'', '"']).next()?;
        printed[from..].contains('\n').then(|| address.to_owned())
    });

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let mut screens = Screens::default();
    let seen = runtime.block_on(async {
        let mut client = InstrumentClient::new(connect(&address).await);
        let updates = client.watch_updates(InstrumentRequest {}).await;
        let mut updates = updates.expect("the service is there").into_inner();
        timeout(Duration::from_secs(20), async {
            while !screens.are_complete() {
                match updates.message().await.expect("updates come while the test runs") {
                    Some(update) => screens.apply(update),
                    None => panic!("the updates ended: {screens:?}"),
                }
            }
        })
        .await
    });
    fs_err::write(&gate, "").expect("a temporary file can be written");
    drop(runtime);
    let finished = running.wait();
    assert!(seen.is_ok(), "not on the screens: {screens:?}\n{finished}");
    finished.assert_code(0);
}
