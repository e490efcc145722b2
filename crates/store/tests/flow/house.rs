//! A daemon over a folder, for one test.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lrrc_store::{
    Address, Client, ClientConfig, Clock, Content, ContentRules, Home, HomeConfig, Listener, Name,
    RedbBackend, ServeError, Trace, serve,
};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A test that takes this long waits for something that does not come.
const STUCK: Duration = Duration::from_secs(300);

pub(crate) struct House {
    pub(crate) folder: TempDir,
    pub(crate) config: HomeConfig,
    running: Option<Running>,
}

struct Running {
    stop: Arc<Notify>,
    served: JoinHandle<Result<(), ServeError>>,
}

impl House {
    /// A daemon over a new folder.
    pub(crate) async fn open(config: HomeConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut house = Self { folder, config, running: None };
        house.start(None).await;
        house
    }

    /// A daemon over what the folder holds.
    pub(crate) async fn start(&mut self, trace: Option<&Path>) {
        let (path, config, clock) = (self.folder.path().to_owned(), self.config.clone(), Clock::start());
        let trace = trace.map(|path| Trace::create(path).unwrap());
        let home = tokio::task::spawn_blocking(move || {
            let backend = RedbBackend::open(path.join("store.redb")).unwrap();
            let content = Content::in_folder(path.join("contents"), ContentRules::default()).unwrap();
            let home = Home::open(backend, content, config, clock.now()).unwrap();
            match trace {
                Some(trace) => home.with_trace(trace),
                None => home,
            }
        });
        let home = home.await.unwrap();
        let listener = Listener::open(&self.place()).await.unwrap();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let served = tokio::spawn(async move { serve(home, clock, listener, stopped.notified()).await });
        self.running = Some(Running { stop, served });
    }

    /// Stops the daemon and waits for its end.
    pub(crate) async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.stop.notify_one();
        running.served.await.unwrap().unwrap();
    }

    /// Drops the future of the daemon.
    pub(crate) fn abandon(&mut self) {
        self.running.take().unwrap().served.abort();
    }

    pub(crate) fn place(&self) -> Address {
        Address::Unix(self.folder.path().join("socket"))
    }

    /// A client of its own.
    pub(crate) async fn client(&self) -> Client {
        self.client_with(ClientConfig::default()).await
    }

    pub(crate) async fn client_with(&self, config: ClientConfig) -> Client {
        Client::connect(&self.place(), config).await.unwrap()
    }
}

/// Runs a test over a new daemon on several threads.
pub(crate) fn in_house<F: Future<Output = ()>>(config: HomeConfig, test: impl FnOnce(House) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let tested = async { test(House::open(config).await).await };
    runtime.block_on(async { tokio::time::timeout(STUCK, tested).await.expect("the test is stuck") });
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}
