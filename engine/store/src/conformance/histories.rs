//! Histories: units are all or nothing, positions are exact.

use engine_core::bounds::RECORD_LEN;
use engine_core::id::Seq;

use super::{World, at, big, event, row, run, unit, unit_of};
use crate::row::{InboxRow, TimerClock, TimerKey, TimerRow};
use crate::unit::{Claim, ClaimChange, ClaimState, Mark, Unit};
use crate::{Class, CommitError};

/// A history grows by what is committed, and is read as it was written.
pub async fn grows(world: &mut World) {
    assert_eq!(world.last(run(1)).await, 0);
    let first = big(1, 9_000);
    let unit_one = unit_of(world.fence, run(1), 0, vec![first.clone()]);
    assert_eq!(world.commit(unit_one).await, Ok(Seq(1)));
    world.step().await;
    assert_eq!(world.commit(unit(world.fence, run(1), 1, 3)).await, Ok(Seq(4)));
    world.step().await;
    let empty = unit_of(world.fence, run(1), 4, Vec::new());
    assert_eq!(world.commit(empty).await, Ok(Seq(4)), "a unit may bring no events");
    world.step().await;
    let events = world.store.read(run(1), Seq(1), 10).await.unwrap();
    assert_eq!(events, vec![first, event(2), event(3), event(4)]);
    assert_eq!(world.store.commit(Vec::new()).await, Vec::new());
    assert_eq!(world.commit(Unit::default()).await, Ok(Seq(0)));
}

/// A unit that expects another last position is refused.
pub async fn conflicts(world: &mut World) {
    world.start(run(1), 2).await;
    world.step().await;
    for (run, expected, found) in [(run(1), 0, 2), (run(1), 1, 2), (run(1), 3, 2), (run(2), 1, 0)] {
        let answer = world.commit(unit(world.fence, run, expected, 1)).await;
        let conflict = CommitError::Conflict { run, expected: Seq(expected), found: Seq(found) };
        assert_eq!(answer, Err(conflict));
    }
    assert_eq!(world.last(run(1)).await, 2);
    assert_eq!(world.last(run(2)).await, 0);
}

/// A unit that fails leaves its neighbours in the batch alone, and later ones see earlier ones.
pub async fn fails_alone(world: &mut World) {
    let fence = world.fence;
    let gone = Unit { inbox_consumed: vec![(run(9), 1)], ..unit(fence, run(3), 0, 1) };
    let batch = vec![
        unit(fence, run(1), 0, 1),
        unit(fence, run(2), 5, 1),
        gone,
        unit(fence, run(1), 1, 1),
        unit(fence, run(1), 1, 1),
        unit(fence, run(4), 0, 1),
    ];
    let answers = world.store.commit(batch).await;
    let conflict = |run, expected, found| CommitError::Conflict { run, expected: Seq(expected), found: Seq(found) };
    let expected = vec![
        Ok(Seq(1)),
        Err(conflict(run(2), 5, 0)),
        Err(CommitError::InboxGone { run: run(9), arrival: 1 }),
        Ok(Seq(2)),
        Err(conflict(run(1), 1, 2)),
        Ok(Seq(1)),
    ];
    assert_eq!(answers, expected);
    world.step().await;
    let mut lasts = Vec::new();
    for number in 1..=4 {
        lasts.push(world.last(run(number)).await);
    }
    assert_eq!(lasts, [2, 0, 0, 1]);
}

/// Nothing of a unit that fails is written, whatever it held.
pub async fn is_all_or_nothing(world: &mut World) {
    let key = "orders/order-1".to_owned();
    let claim = |owner| Claim { run: run(owner), input: row(run(owner), 1).input, state: ClaimState::Live };
    let take = |owner| ClaimChange::Take { key: key.clone(), claim: claim(owner), now: at(1) };
    let full = |fence, owner: u64| Unit {
        inbox_put: vec![InboxRow { run: run(owner), arrival: 0, request_id: "r".to_owned(), body: vec![1] }],
        timers_set: vec![TimerRow {
            run: run(owner),
            timer: TimerKey::RunTimeout,
            due: at(5),
            clock: TimerClock::Engine,
        }],
        marks: vec![Mark { run: run(owner), name: "exported".to_owned(), value: vec![2] }],
        claims: vec![ClaimChange::Take { key: format!("other-{owner}"), claim: claim(owner), now: at(1) }, take(owner)],
        ..unit(fence, run(owner), 0, 1)
    };
    assert_eq!(world.commit(full(world.fence, 1)).await, Ok(Seq(1)));
    world.step().await;
    let answer = world.commit(full(world.fence, 2)).await;
    assert_eq!(answer, Err(CommitError::Claimed { key: key.clone(), holder: run(1) }));
    world.step().await;
    for (owner, is_there) in [(1, true), (2, false)] {
        let store = &world.store;
        assert_eq!(world.last(run(owner)).await, u64::from(is_there));
        assert_eq!(store.inbox(run(owner)).await.unwrap().len(), usize::from(is_there));
        assert_eq!(store.mark(run(owner), "exported").await.unwrap().is_some(), is_there);
        assert_eq!(store.claim(&format!("other-{owner}")).await.unwrap().is_some(), is_there);
    }
    let timers = world.store.due_timers(TimerClock::Engine, at(9), None, 9).await.unwrap().items;
    assert_eq!(timers.iter().map(|timer| timer.run).collect::<Vec<_>>(), [run(1)]);
    let runs = world.store.open_runs(Class::InFlight, None, 9).await.unwrap();
    assert_eq!(runs.items, [run(1)]);
}

/// A unit that contradicts itself is refused.
pub async fn refuses_what_is_malformed(world: &mut World) {
    let fence = world.fence;
    let gap = unit_of(fence, run(1), 0, vec![event(1), event(3)]);
    let late = unit_of(fence, run(1), 0, vec![event(2)]);
    let nothing = unit_of(fence, run(1), 0, Vec::new());
    let (mut other_run, mut other_end) = (unit(fence, run(1), 0, 1), unit(fence, run(1), 0, 1));
    other_run.run.as_mut().unwrap().row.run = run(2);
    other_end.run.as_mut().unwrap().row.last = Seq(7);
    for malformed in [gap, late, nothing, other_run, other_end] {
        let answer = world.commit(malformed).await;
        assert!(matches!(answer, Err(CommitError::Malformed { .. })), "{answer:?}");
    }
    assert_eq!(world.last(run(1)).await, 0);
}

/// A turn of any size is written, as long as each event fits a record; what doesn't is refused.
pub async fn bounds_records(world: &mut World) {
    let events: Vec<_> = (1..=40).map(|seq| big(seq, 60_000)).collect();
    let answer = world.commit(unit_of(world.fence, run(1), 0, events.clone())).await;
    assert_eq!(answer, Ok(Seq(40)));
    world.step().await;
    assert_eq!(world.store.read(run(1), Seq(1), 100).await.unwrap(), events);
    assert_eq!(world.store.read(run(1), Seq(8), 5).await.unwrap(), events[7..12]);

    let too_large = unit_of(world.fence, run(2), 0, vec![event(1), big(2, RECORD_LEN)]);
    let inbox = InboxRow { run: run(3), arrival: 0, request_id: "r".to_owned(), body: vec![0; RECORD_LEN] };
    let mark = Mark { run: run(3), name: "m".to_owned(), value: vec![0; RECORD_LEN] };
    let mut labels = unit(world.fence, run(2), 0, 1);
    labels.run.as_mut().unwrap().row.labels = vec![("a".to_owned(), "b".repeat(RECORD_LEN))];
    let units = [
        too_large,
        labels,
        Unit { inbox_put: vec![inbox], ..Unit::default() },
        Unit { marks: vec![mark], ..Unit::default() },
    ];
    for unit in units {
        let answer = world.commit(unit).await;
        assert!(matches!(answer, Err(CommitError::TooLarge { .. })), "{answer:?}");
    }
    assert_eq!(world.last(run(2)).await, 0);
}

/// A history is read in pages that begin anywhere.
pub async fn pages(world: &mut World) {
    for expected in (0..30).step_by(3) {
        world.commit(unit(world.fence, run(5), expected, 3)).await.unwrap();
    }
    world.start(run(4), 2).await;
    world.start(run(6), 2).await;
    world.step().await;
    for from in 0..=32 {
        for limit in [0, 1, 2, 4, 100] {
            let read = world.store.read(run(5), Seq(from), limit).await.unwrap();
            let expected: Vec<_> = (from.max(1)..=30).take(limit).map(event).collect();
            assert_eq!(read, expected, "from {from}, {limit} at most");
        }
    }
}

/// A deleted run leaves nothing but its claims' tombstones, and nobody else's things go with it.
pub async fn deletes(world: &mut World) {
    for owner in [1, 2] {
        let run = run(owner);
        let claim = Claim { run, input: row(run, 1).input, state: ClaimState::Live };
        let timer = |timer, clock| TimerRow { run, timer, due: at(5), clock };
        let unit = Unit {
            inbox_put: vec![InboxRow { run, arrival: 0, request_id: "r".to_owned(), body: vec![1] }],
            timers_set: vec![timer(TimerKey::RunTimeout, TimerClock::Wall)],
            marks: vec![Mark { run, name: "exported".to_owned(), value: vec![2] }],
            claims: vec![ClaimChange::Take { key: format!("key-{owner}"), claim, now: at(1) }],
            ..unit(world.fence, run, 0, 3)
        };
        world.commit(unit).await.unwrap();
    }
    world.step().await;
    world.store.delete(run(1), at(100)).await.unwrap();
    world.store.delete(run(7), at(100)).await.unwrap();
    world.step().await;
    for (owner, is_there) in [(1, false), (2, true)] {
        assert_eq!(world.last(run(owner)).await, if is_there { 3 } else { 0 });
        assert_eq!(world.store.inbox(run(owner)).await.unwrap().len(), usize::from(is_there));
        assert_eq!(world.store.mark(run(owner), "exported").await.unwrap().is_some(), is_there);
        let claim = world.store.claim(&format!("key-{owner}")).await.unwrap().unwrap();
        let tombstone = ClaimState::Tombstone { expires: at(100) };
        assert_eq!(claim.state, if is_there { ClaimState::Live } else { tombstone });
    }
    let timers = world.store.due_timers(TimerClock::Wall, at(9), None, 9).await.unwrap().items;
    assert_eq!(timers.iter().map(|timer| timer.run).collect::<Vec<_>>(), [run(2)]);
    assert_eq!(world.store.open_runs(Class::InFlight, None, 9).await.unwrap().items, [run(2)]);
    assert_eq!(world.store.inbox_runs(None, 9).await.unwrap().items, [run(2)]);

    // The same id may be used again, as by an import; then it has nothing of the old run.
    world.start(run(1), 1).await;
    assert_eq!(world.last(run(1)).await, 1);
}
