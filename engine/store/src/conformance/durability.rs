//! What survives, who may write, and what is shown before its sync: nothing.

use std::sync::Arc;
use std::time::Duration;

use engine_core::id::{Digest, Name, Seq};
use engine_core::payload::Payload;

use super::{World, at, row, run, started, unit, unit_of};
use crate::row::{Class, Filter, InboxRow, TimerClock, TimerKey, TimerRow};
use crate::unit::{Claim, ClaimChange, ClaimState, Fence, Mark, Unit};
use crate::{CommitError, Counters, StoreError};

/// A commit with a fence that is not the current one is refused.
pub async fn fences(world: &mut World) {
    world.start(run(1), 1).await;
    let old = world.fence;
    world.restart().await;
    assert_eq!(world.store.acquire(255, "test", at(9)).await, Ok(Some(world.fence)), "every shard is granted");
    assert_eq!(world.store.renew(3, world.fence, at(9)).await, Ok(true));
    assert_eq!(world.store.renew(3, old, at(9)).await, Ok(false));
    for fence in [old, Fence(0), Fence(world.fence.0 + 1)] {
        assert_eq!(world.commit(unit(fence, run(1), 1, 1)).await, Err(CommitError::Fenced { run: run(1) }));
    }
    assert_eq!(world.commit(unit(world.fence, run(1), 1, 1)).await, Ok(Seq(2)));
    assert_eq!(world.store.release(3, world.fence).await, Ok(()));
}

/// Definitions are kept by digest, and each workflow has a current one.
pub async fn definitions_are_kept(world: &mut World) {
    let large = vec![b'x'; 4 << 20];
    let (one, two) = (Digest::of(b"one"), Digest::of(&large));
    assert_eq!(world.store.definition(one).await, Ok(None));
    assert_eq!(world.store.current_definition("orders").await, Ok(None));
    world.store.put_definition("orders", one, b"one").await.unwrap();
    world.store.put_definition("reports", two, &large).await.unwrap();
    world.step().await;
    world.store.put_definition("orders", two, &large).await.unwrap();
    world.store.put_definition("orders", one, b"one").await.unwrap();
    world.store.put_definition("orders", two, &large).await.unwrap();
    world.step().await;
    assert_eq!(world.store.definition(one).await.unwrap().as_deref(), Some(b"one".as_slice()));
    assert_eq!(world.store.definition(two).await.unwrap().as_deref(), Some(large.as_slice()));
    assert_eq!(world.store.current_definition("orders").await, Ok(Some(two)));
    assert_eq!(world.store.current_definition("order").await, Ok(None));
    let all = vec![("orders".to_owned(), two), ("reports".to_owned(), two)];
    assert_eq!(world.store.current_definitions().await, Ok(all));
}

/// A sweep takes the definitions that nobody needs, and none that somebody may need.
pub async fn definitions_are_swept(world: &mut World) {
    let names = ["of_run", "of_child", "current", "left"];
    let digests = names.map(|name| Digest::of(name.as_bytes()));
    for name in ["left", "of_child", "of_run", "current"] {
        world.store.put_definition("orders", Digest::of(name.as_bytes()), name.as_bytes()).await.unwrap();
    }
    let children = vec![(Name::new("child"), digests[1])];
    let first = engine_core::event::Recorded { seq: Seq(1), at: at(1), event: started(children, Payload::json(*b"1")) };
    let mut start = unit_of(world.fence, run(1), 0, vec![first]);
    start.run.as_mut().unwrap().row.definition = digests[0];
    world.commit(start).await.unwrap();
    assert_eq!(world.store.sweep_definitions().await, Ok(0), "all were current a moment ago");
    world.restart().await;
    assert_eq!(world.store.sweep_definitions().await, Ok(1));
    world.step().await;
    for (digest, is_there) in digests.into_iter().zip([true, true, true, false]) {
        assert_eq!(world.store.definition(digest).await.unwrap().is_some(), is_there);
    }
    world.store.delete(run(1), at(0)).await.unwrap();
    assert_eq!(world.store.sweep_definitions().await, Ok(2));
    assert_eq!(world.store.current_definition("orders").await, Ok(Some(digests[2])));
    assert_eq!(world.store.sweep_definitions().await, Ok(0));
}

/// Blobs belong to their run and come back as they were.
pub async fn blobs_are_checked(world: &mut World) {
    let bytes: Arc<[u8]> = vec![7; 100_000].into();
    let digest = Digest::of(&bytes);
    let missing = |owner| StoreError::BlobMissing { run: run(owner), digest };
    assert_eq!(world.store.blob(run(1), digest).await, Err(missing(1)));
    for owner in [1, 2, 3] {
        world.store.put_blob(run(owner), digest, Arc::clone(&bytes)).await.unwrap();
        world.start(run(owner), 1).await;
    }
    world.store.put_blob(run(1), digest, Arc::clone(&bytes)).await.unwrap();
    world.step().await;
    assert_eq!(world.store.blob(run(1), digest).await, Ok(Arc::clone(&bytes)));
    world.store.delete(run(1), at(0)).await.unwrap();
    world.step().await;
    assert_eq!(world.store.blob(run(1), digest).await, Err(missing(1)));
    assert_eq!(world.store.blob(run(2), digest).await, Ok(Arc::clone(&bytes)));

    let wrong = Digest::of(b"something else");
    world.store.put_blob(run(2), wrong, bytes).await.unwrap();
    assert!(matches!(world.store.blob(run(2), wrong).await, Err(StoreError::Damaged { .. })));
}

/// The latest time is remembered, and never goes back.
pub async fn knows_the_time(world: &mut World) {
    assert_eq!(world.store.watermark().await, Ok(at(0)));
    world.start(run(1), 5).await;
    world.step().await;
    assert_eq!(world.store.watermark().await, Ok(at(1_005)));
    world.start(run(2), 1).await;
    let failed = world.commit(unit(world.fence, run(2), 20, 1)).await;
    assert!(failed.is_err());
    assert_eq!(world.store.watermark().await, Ok(at(1_005)));
    let claim = Claim { run: run(2), input: row(run(2), 1).input, state: ClaimState::Live };
    let take = ClaimChange::Take { key: "key".to_owned(), claim, now: at(2_000) };
    world.commit(Unit { claims: vec![take], ..Unit::default() }).await.unwrap();
    world.step().await;
    assert_eq!(world.store.watermark().await, Ok(at(2_000)));
    world.store.delete(run(1), at(9_000)).await.unwrap();
    world.step().await;
    assert_eq!(world.store.watermark().await, Ok(at(2_000)));
}

/// Good units and batches with one are counted.
pub async fn counts(world: &mut World) {
    let fence = world.fence;
    assert_eq!(world.store.counters(), Counters::default());
    let batch = vec![unit(fence, run(1), 0, 1), unit(fence, run(2), 0, 9), unit(fence, run(2), 4, 1)];
    world.store.commit(batch).await;
    world.commit(unit(fence, run(1), 4, 1)).await.unwrap_err();
    world.store.put_definition("orders", Digest::of(b"one"), b"one").await.unwrap();
    world.commit(Unit::default()).await.unwrap();
    let Counters { units, syncs, .. } = world.store.counters();
    assert_eq!((units, syncs), (3, 2));
}

/// As long as a sync runs, nothing that waits for it is acknowledged, and no read shows any of it.
pub async fn shows_only_what_is_synced(world: &mut World) {
    let (store, fence, gate) = world.gated().await;
    let claim = Claim { run: run(1), input: row(run(1), 1).input, state: ClaimState::Live };
    let full = Unit {
        inbox_put: vec![InboxRow { run: run(1), arrival: 0, request_id: "r".to_owned(), body: vec![1] }],
        timers_set: vec![TimerRow { run: run(1), timer: TimerKey::RunTimeout, due: at(5), clock: TimerClock::Engine }],
        marks: vec![Mark { run: run(1), name: "exported".to_owned(), value: vec![2] }],
        claims: vec![ClaimChange::Take { key: "key".to_owned(), claim, now: at(1) }],
        ..unit(fence, run(1), 0, 1)
    };
    let commit = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(vec![full]).await }
    });
    gate.reached(1).await;

    // Each read either answers at once, without the unit, or waits until it is synced.
    let reads = [0, 1, 2, 3, 4, 5, 6, 7].map(|which| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            match which {
                0 => !store.read(run(1), Seq(1), 9).await.unwrap().is_empty(),
                1 => store.row(run(1)).await.unwrap().is_some(),
                2 => !store.list(&Filter::default(), None, 9).await.unwrap().items.is_empty(),
                3 => !store.open_runs(Class::InFlight, None, 9).await.unwrap().items.is_empty(),
                4 => !store.due_timers(TimerClock::Engine, at(9), None, 9).await.unwrap().items.is_empty(),
                5 => !store.inbox(run(1)).await.unwrap().is_empty(),
                6 => store.claim("key").await.unwrap().is_some(),
                _ => store.mark(run(1), "exported").await.unwrap().is_some(),
            }
        })
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!commit.is_finished(), "nothing is acknowledged before its sync");
    assert_eq!(store.watermark().await, Ok(at(0)));
    let mut waiting = Vec::new();
    for read in reads {
        if read.is_finished() {
            assert!(!read.await.unwrap(), "a read shows what is not synced");
        } else {
            waiting.push(read);
        }
    }
    gate.release(1);
    assert_eq!(commit.await.unwrap(), vec![Ok(Seq(1))]);
    for read in waiting {
        assert!(read.await.unwrap(), "a read that waited for the sync shows what it waited for");
    }
    assert!(store.row(run(1)).await.unwrap().is_some());
    gate.open();
    store.close().await.unwrap();
}

/// After a failed sync nothing is acknowledged or shown any more.
pub async fn stops_after_a_failed_sync(world: &mut World) {
    let (store, fence, gate) = world.gated().await;
    gate.release(1);
    assert_eq!(store.commit(vec![unit(fence, run(1), 0, 1)]).await, vec![Ok(Seq(1))]);
    let commits = [2, 3].map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit(vec![unit(fence, run(number), 0, 1), Unit::default()]).await })
    });
    gate.reached(2).await;
    gate.fail();
    for commit in commits {
        for answer in commit.await.unwrap() {
            assert!(matches!(answer, Err(CommitError::Store(StoreError::Io { .. }))), "{answer:?}");
        }
    }
    let answers = store.commit(vec![unit(fence, run(4), 0, 1)]).await;
    assert!(matches!(answers[..], [Err(CommitError::Store(StoreError::Io { .. }))]), "{answers:?}");
    assert!(store.row(run(1)).await.is_err_and(|error| error.is_fatal()));
    assert!(store.put_definition("orders", Digest::of(b"one"), b"one").await.is_err());
    assert!(store.put_blob(run(1), Digest::of(b"one"), b"one".as_slice().into()).await.is_err());
    assert!(store.delete(run(1), at(0)).await.is_err());
    assert!(store.acquire(0, "test", at(0)).await.is_err());
    assert!(store.watermark().await.is_err());
}

/// A closed store answers so, and has lost nothing.
pub async fn closes(world: &mut World) {
    world.start(run(1), 1).await;
    let (first, second) = tokio::join!(world.store.close(), world.store.close());
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(world.store.close().await, Ok(()));
    let closed = CommitError::Store(StoreError::Closed);
    assert_eq!(world.commit(unit(world.fence, run(1), 1, 1)).await, Err(closed));
    assert_eq!(world.store.row(run(1)).await, Err(StoreError::Closed));
    assert_eq!(world.store.read(run(1), Seq(1), 1).await, Err(StoreError::Closed));
    assert_eq!(world.store.blob(run(1), Digest::of(b"one")).await, Err(StoreError::Closed));
    world.restart().await;
    assert_eq!(world.last(run(1)).await, 1);
}

/// A store knows whether it was closed by the process before.
pub async fn knows_how_it_stopped(world: &mut World) {
    assert!(world.store.stopped_cleanly(), "there was no process before");
    world.start(run(1), 1).await;
    for closed in [false, true, false] {
        world.restart().await;
        assert_eq!(world.store.stopped_cleanly(), closed);
    }
}

/// Who only looks at what a crash left behind does not hide the crash from the process that sees to it.
pub async fn a_look_hides_no_crash(world: &mut World) {
    world.start(run(1), 1).await;
    for _ in 0..2 {
        world.look().await;
        assert!(!world.store.stopped_cleanly());
        world.store.close().await.unwrap();
    }
    world.look().await;
    assert!(!world.store.stopped_cleanly());
    world.store.acquire(0, "test", at(0)).await.unwrap().unwrap();
    world.store.close().await.unwrap();
    world.look().await;
    assert!(world.store.stopped_cleanly(), "the process before saw to it");
    assert_eq!(world.last(run(1)).await, 1);
}
