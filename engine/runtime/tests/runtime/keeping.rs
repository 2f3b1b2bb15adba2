//! The data directory as a whole, kept by the process that has it for one beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use engine_runtime::control::{Client, Control, Place};
use engine_runtime::{Engine, bounds};
use engine_store::{BackedUp, Diagnosis, Keeper, MemoryStore, StoreError};
use tokio::sync::{mpsc, watch};

use crate::world::{SOON, World, chain, options, start};

/// Is not asked in a test.
pub(crate) struct Unasked;

#[async_trait]
impl Keeper for Unasked {
    async fn diagnose(&self) -> Result<Diagnosis, StoreError> {
        Err(StoreError::Closed)
    }

    async fn backup(&self, _to: &Path) -> Result<BackedUp, StoreError> {
        Err(StoreError::Closed)
    }
}

/// Keeps nothing, for as long as the test wants.
struct Slow {
    asked: mpsc::UnboundedSender<PathBuf>,
    done: watch::Receiver<bool>,
    given_up: mpsc::UnboundedSender<()>,
}

/// Says where it is dropped before its end.
struct GivenUp<'a>(&'a Slow);

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if !*self.0.done.borrow() {
            self.0.given_up.send(()).unwrap();
        }
    }
}

#[async_trait]
impl Keeper for Slow {
    async fn diagnose(&self) -> Result<Diagnosis, StoreError> {
        Ok(Diagnosis { more: 7, ..Diagnosis::default() })
    }

    async fn backup(&self, to: &Path) -> Result<BackedUp, StoreError> {
        self.asked.send(to.to_owned()).unwrap();
        let _given_up = GivenUp(self);
        self.done.clone().wait_for(|done| *done).await.unwrap();
        Err(StoreError::Unusable("it is full".to_owned()))
    }
}

struct Kept {
    engine: Engine,
    control: Control,
    asked: mpsc::UnboundedReceiver<PathBuf>,
    done: watch::Sender<bool>,
    given_up: mpsc::UnboundedReceiver<()>,
    client: Client,
    _dir: tempfile::TempDir,
}

impl Kept {
    async fn open() -> Self {
        let (sender, asked) = mpsc::unbounded_channel();
        let (tells, given_up) = mpsc::unbounded_channel();
        let (done, is_done) = watch::channel(false);
        let keeper = Arc::new(Slow { asked: sender, done: is_done, given_up: tells });
        let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::new()));
        let engine = Engine::open(store, options(&World::new())).await.unwrap();
        let place = || Place::of(dir.path()).unwrap();
        let control = Control::serve(engine.clone(), keeper, place(), true).unwrap();
        let client = Client::connect(place()).await.unwrap().0;
        Self { engine, control, asked, done, given_up, client, _dir: dir }
    }

    /// Asks for a backup that is not made before the test wants.
    fn backup(&self, to: &str) -> tokio::task::JoinHandle<Result<BackedUp, StoreError>> {
        let (client, to) = (self.client.clone(), PathBuf::from(to));
        tokio::spawn(async move { client.backup(&to).await })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_answered_and_runs_go_on_meanwhile() {
    let mut kept = Kept::open().await;
    let backup = kept.backup("/srv/copy");
    assert_eq!(kept.asked.recv().await.unwrap(), Path::new("/srv/copy"));
    assert!(kept.control.is_keeping() && kept.control.handed_in() == 0);
    let run = kept.engine.start(start(&chain(2), "one")).await.unwrap().run;
    kept.engine.drive(run).await.unwrap().finish().await;
    assert!(kept.client.store().row(run).await.unwrap().unwrap().status.is_terminal());
    assert_eq!(kept.client.diagnose().await.unwrap().more, 7);
    kept.done.send(true).unwrap();
    assert_eq!(backup.await.unwrap(), Err(StoreError::Unusable("it is full".to_owned())), "in its own words");
}

#[tokio::test]
async fn it_may_take_longer_than_any_other_answer() {
    let mut kept = Kept::open().await;
    let backup = kept.backup("/srv/copy");
    kept.asked.recv().await.unwrap();
    tokio::time::pause();
    tokio::time::sleep(10 * bounds::ANSWER_TIME).await;
    assert!(!backup.is_finished());
    kept.done.send(true).unwrap();
    assert!(matches!(backup.await.unwrap(), Err(StoreError::Unusable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_stays_until_it_is_done_and_takes_nothing_in_afterwards() {
    let mut kept = Kept::open().await;
    let backup = kept.backup("/srv/copy");
    kept.asked.recv().await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), kept.control.settled()).await.is_err());
    kept.done.send(true).unwrap();
    tokio::time::timeout(SOON, kept.control.settled()).await.unwrap();
    assert!(matches!(backup.await.unwrap(), Err(StoreError::Unusable(_))));
    assert_eq!(kept.client.diagnose().await, Err(StoreError::Closed), "ask the next one");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_is_told_where_the_process_goes_all_the_same() {
    let mut kept = Kept::open().await;
    let backup = kept.backup("/srv/copy");
    kept.asked.recv().await.unwrap();
    kept.control.close();
    assert_eq!(backup.await.unwrap(), Err(StoreError::Closed));
    tokio::time::timeout(SOON, kept.given_up.recv()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_given_up_where_nobody_waits_and_bounded() {
    let mut kept = Kept::open().await;
    let mut backups: Vec<_> = (0..bounds::KEEPINGS).map(|number| kept.backup(&format!("/srv/{number}"))).collect();
    for _ in 0..bounds::KEEPINGS {
        kept.asked.recv().await.unwrap();
    }
    let Err(StoreError::Unusable(refused)) = kept.client.diagnose().await else { panic!("there is no room") };
    assert!(refused.contains(&std::process::id().to_string()), "{refused}");
    backups.pop().unwrap().abort();
    tokio::time::timeout(SOON, kept.given_up.recv()).await.unwrap().unwrap();
    let room = async { while kept.client.diagnose().await.is_err() {} };
    tokio::time::timeout(SOON, room).await.unwrap();
    kept.done.send(true).unwrap();
}
