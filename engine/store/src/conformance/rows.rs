//! What stands beside histories: index rows, timers, inboxes, unique keys, marks.

use engine_core::id::{Name, Seq, Side};

use super::{World, at, row, run, unit};
use crate::CommitError;
use crate::page::Cursor;
use crate::row::{Class, InboxRow, Status, TimerClock, TimerKey, TimerRow};
use crate::unit::{Claim, ClaimChange, ClaimState, Mark, Unit};

/// The index row is the one of the last commit.
pub async fn index_rows_follow(world: &mut World) {
    assert_eq!(world.store.row(run(1)).await, Ok(None));
    world.start(run(1), 2).await;
    let mut ended = unit(world.fence, run(1), 2, 1);
    let mut expected = row(run(1), 3);
    expected.status = Status::Completed;
    expected.class = Class::Ended;
    expected.workflow_id = Some("order-1001".to_owned());
    expected.labels = vec![("tier".to_owned(), "gold".to_owned())];
    expected.priority = -100;
    expected.ended_at = Some(at(9));
    ended.run.as_mut().unwrap().row = expected.clone();
    world.step().await;
    ended.run.as_mut().unwrap().fence = world.fence;
    assert_eq!(world.commit(ended).await, Ok(Seq(3)));
    world.step().await;
    assert_eq!(world.store.row(run(1)).await, Ok(Some(expected)));
}

/// Timers come in the order of their due times, by their clock, once each.
pub async fn timers_come_when_due(world: &mut World) {
    let retry = |step: &str, side| TimerKey::Retry(Name::new(step), side);
    let timer = |owner, timer, due, clock| TimerRow { run: run(owner), timer, due: at(due), clock };
    let (engine, wall) = (TimerClock::Engine, TimerClock::Wall);
    let rows = vec![
        timer(2, retry("charge", Side::Forward), 300, engine),
        timer(1, retry("charge", Side::Forward), 200, engine),
        timer(1, retry("charge", Side::Compensation), 256, engine),
        timer(3, TimerKey::RunTimeout, 100, engine),
        timer(1, TimerKey::RunTimeout, 150, wall),
        timer(4, TimerKey::RunTimeout, 200, engine),
    ];
    let set = Unit { timers_set: rows.clone(), ..Unit::default() };
    world.commit(set).await.unwrap();
    world.step().await;
    let sorted: Vec<_> = [3, 1, 5, 2, 0].map(|index: usize| rows[index].clone()).to_vec();
    assert_eq!(timers(world, engine, u64::MAX, 10).await, sorted);
    assert_eq!(timers(world, engine, 200, 10).await, sorted[..3]);
    assert_eq!(timers(world, engine, 199, 10).await, sorted[..1]);
    assert_eq!(timers(world, engine, 300, 2).await, sorted[..2]);
    assert_eq!(timers(world, engine, 300, 0).await, []);
    assert_eq!(timers(world, wall, 300, 10).await, rows[4..5]);

    // Page by page, where two of the same time are on different pages.
    let (mut paged, mut cursor) = (Vec::new(), None);
    for items in [2, 2, 1] {
        let page = world.store.due_timers(engine, at(300), cursor, 2).await.unwrap();
        assert_eq!(page.items.len(), items);
        paged.extend(page.items);
        cursor = page.next;
    }
    assert_eq!((paged, cursor), (sorted.clone(), None));
    let elsewhere = Some(Cursor(vec![0xff; 3]));
    assert_eq!(world.store.due_timers(engine, at(300), elsewhere, 2).await.unwrap().items, []);

    // Set again, a timer moves, even to the other clock; removed, it is gone; a stranger's stays.
    let moved = timer(1, retry("charge", Side::Forward), 50, wall);
    let change = Unit {
        timers_removed: vec![
            (run(3), TimerKey::RunTimeout),
            (run(2), TimerKey::RunTimeout),
            (run(1), retry("charge", Side::Compensation)),
        ],
        timers_set: vec![
            moved.clone(),
            timer(2, retry("charge", Side::Forward), 299, engine),
            timer(2, retry("charge", Side::Forward), 300, engine),
            timer(1, retry("charge", Side::Compensation), 301, engine),
        ],
        ..Unit::default()
    };
    world.commit(change).await.unwrap();
    world.step().await;
    let left = [rows[5].clone(), rows[0].clone(), timer(1, retry("charge", Side::Compensation), 301, engine)];
    assert_eq!(timers(world, engine, u64::MAX, 10).await, left);
    assert_eq!(timers(world, wall, u64::MAX, 10).await, [moved, rows[4].clone()]);
}

/// The timers due up to `until`, `limit` at most.
async fn timers(world: &World, clock: TimerClock, until: u64, limit: usize) -> Vec<TimerRow> {
    world.store.due_timers(clock, at(until), None, limit).await.unwrap().items
}

fn request(owner: u64, id: &str) -> InboxRow {
    InboxRow { run: run(owner), arrival: 0, request_id: id.to_owned(), body: id.as_bytes().to_vec() }
}

async fn ids(world: &World, owner: u64) -> Vec<(String, u64)> {
    let rows = world.store.inbox(run(owner)).await.unwrap();
    assert!(rows.iter().all(|row| row.run == run(owner) && row.body == row.request_id.as_bytes()));
    assert!(rows.is_sorted_by(|one, next| one.arrival < next.arrival));
    rows.into_iter().map(|row| (row.request_id, row.arrival)).collect()
}

/// Inbox rows wait in the order in which they came, until they are consumed; arrival numbers are never used twice.
pub async fn inbox_keeps_order(world: &mut World) {
    let put = |rows: Vec<InboxRow>| Unit { inbox_put: rows, ..Unit::default() };
    world.commit(put(vec![request(1, "b"), request(2, "x"), request(1, "a")])).await.unwrap();
    world.step().await;
    world.commit(put(vec![request(1, "c")])).await.unwrap();
    world.step().await;
    let waiting = ids(world, 1).await;
    assert_eq!(waiting.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["b", "a", "c"]);

    let consumed: Vec<_> = waiting.iter().map(|(_, arrival)| (run(1), *arrival)).collect();
    let take = Unit { inbox_consumed: consumed.clone(), ..unit(world.fence, run(1), 0, 1) };
    world.commit(take).await.unwrap();
    world.step().await;
    assert_eq!(ids(world, 1).await, []);
    assert_eq!(ids(world, 2).await.len(), 1);

    let gone = Unit { inbox_consumed: vec![consumed[1]], ..unit(world.fence, run(1), 1, 1) };
    assert_eq!(world.commit(gone).await, Err(CommitError::InboxGone { run: run(1), arrival: consumed[1].1 }));
    world.commit(put(vec![request(1, "d")])).await.unwrap();
    let next = ids(world, 1).await;
    assert!(next[0].1 > waiting[2].1, "arrival numbers rise for ever");
    let twice = Unit { inbox_consumed: vec![(run(1), next[0].1); 2], ..Unit::default() };
    assert_eq!(world.commit(twice).await, Err(CommitError::InboxGone { run: run(1), arrival: next[0].1 }));
    assert_eq!(ids(world, 1).await, next);
}

/// A request that waits already is dropped; one that was consumed may come again.
pub async fn inbox_is_unique(world: &mut World) {
    let put = |rows: Vec<InboxRow>| Unit { inbox_put: rows, ..Unit::default() };
    let other_body = InboxRow { body: b"other".to_vec(), ..request(1, "a") };
    world.commit(put(vec![request(1, "a"), request(1, "a"), request(2, "a")])).await.unwrap();
    world.step().await;
    world.commit(put(vec![other_body, request(1, "b")])).await.unwrap();
    world.step().await;
    let waiting = ids(world, 1).await;
    assert_eq!(waiting.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(ids(world, 2).await.len(), 1);

    // What a unit puts comes after what it consumes.
    let again =
        Unit { inbox_consumed: vec![(run(1), waiting[0].1)], inbox_put: vec![request(1, "a")], ..Unit::default() };
    world.commit(again).await.unwrap();
    world.step().await;
    let waiting = ids(world, 1).await;
    assert_eq!(waiting.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
}

fn claim(owner: u64) -> Claim {
    Claim { run: run(owner), input: row(run(owner), 1).input, state: ClaimState::Live }
}

fn take(owner: u64, now: u64) -> ClaimChange {
    ClaimChange::Take { key: "order-1".to_owned(), claim: claim(owner), now: at(now) }
}

async fn change(world: &World, claims: Vec<ClaimChange>) -> Result<Seq, CommitError> {
    world.commit(Unit { claims, ..Unit::default() }).await
}

/// A unique key has one holder.
pub async fn claims_exclude(world: &mut World) {
    let release = |owner| ClaimChange::Release { key: "order-1".to_owned(), from: run(owner) };
    let not_held = |owner| CommitError::NotHeld { key: "order-1".to_owned(), run: run(owner) };
    assert_eq!(world.store.claim("order-1").await, Ok(None));
    assert_eq!(change(world, vec![release(1)]).await, Err(not_held(1)));
    change(world, vec![take(1, 0)]).await.unwrap();
    world.step().await;
    let claimed = CommitError::Claimed { key: "order-1".to_owned(), holder: run(1) };
    assert_eq!(change(world, vec![take(2, u64::MAX)]).await, Err(claimed.clone()));
    assert_eq!(change(world, vec![take(1, 0)]).await, Err(claimed), "not even its holder takes it twice");
    assert_eq!(change(world, vec![release(2)]).await, Err(not_held(2)));
    assert_eq!(world.store.claim("order-1").await, Ok(Some(claim(1))));

    change(world, vec![release(1), take(2, 0), release(2), take(3, 0)]).await.unwrap();
    world.step().await;
    assert_eq!(world.store.claim("order-1").await, Ok(Some(claim(3))));
    assert_eq!(world.store.claim("order-").await, Ok(None));

    let race = (4..8).map(|owner| Unit {
        claims: vec![ClaimChange::Take { key: "order-2".to_owned(), claim: claim(owner), now: at(1) }],
        ..unit(world.fence, run(owner), 0, 1)
    });
    let answers = world.store.commit(race.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(world.store.claim("order-2").await, Ok(Some(claim(4))));
}

/// A unique key moves from its holder, and only from it.
pub async fn claims_move(world: &mut World) {
    let moved = |from, to| ClaimChange::Move { key: "order-1".to_owned(), from: run(from), to: claim(to) };
    assert!(matches!(change(world, vec![moved(1, 2)]).await, Err(CommitError::NotHeld { .. })));
    change(world, vec![take(1, 0)]).await.unwrap();
    world.step().await;
    change(world, vec![moved(1, 2)]).await.unwrap();
    world.step().await;
    assert!(matches!(change(world, vec![moved(1, 3)]).await, Err(CommitError::NotHeld { .. })));
    assert_eq!(world.store.claim("order-1").await, Ok(Some(claim(2))));

    // The run that it was moved away from does not take it along.
    world.store.delete(run(1), at(100)).await.unwrap();
    assert_eq!(world.store.claim("order-1").await, Ok(Some(claim(2))));
    world.store.delete(run(2), at(100)).await.unwrap();
    world.step().await;
    assert!(matches!(change(world, vec![moved(2, 3)]).await, Err(CommitError::NotHeld { .. })));
}

/// The key of a deleted run stays taken for a while.
pub async fn claims_outlive(world: &mut World) {
    let start = Unit { claims: vec![take(1, 0)], ..unit(world.fence, run(1), 0, 1) };
    world.commit(start).await.unwrap();
    world.step().await;
    world.store.delete(run(1), at(100)).await.unwrap();
    world.step().await;
    let claimed = CommitError::Claimed { key: "order-1".to_owned(), holder: run(1) };
    assert_eq!(change(world, vec![take(2, 99)]).await, Err(claimed));
    change(world, vec![take(2, 100)]).await.unwrap();
    assert_eq!(world.store.claim("order-1").await, Ok(Some(claim(2))));
    // The old run is deleted once more: the key is no longer its.
    world.store.delete(run(1), at(500)).await.unwrap();
    assert_eq!(world.store.claim("order-1").await, Ok(Some(claim(2))));
}

/// Marks are kept by run and name.
pub async fn marks_are_kept(world: &mut World) {
    let mark = |owner, name: &str, value: &[u8]| Mark { run: run(owner), name: name.to_owned(), value: value.to_vec() };
    let unit = Unit { marks: vec![mark(1, "a", b"1"), mark(1, "ab", b"2"), mark(2, "a", b"")], ..Unit::default() };
    world.commit(unit).await.unwrap();
    world.step().await;
    world.commit(Unit { marks: vec![mark(1, "a", b"3")], ..Unit::default() }).await.unwrap();
    world.step().await;
    for (owner, name, value) in [(1, "a", Some("3")), (1, "ab", Some("2")), (2, "a", Some("")), (2, "ab", None)] {
        let found = world.store.mark(run(owner), name).await.unwrap();
        assert_eq!(found.as_deref(), value.map(str::as_bytes), "{owner} {name}");
    }
}
