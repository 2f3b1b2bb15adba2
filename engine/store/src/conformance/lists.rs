//! Lists: their order, filters and pages.

use engine_core::id::{Name, RunId};

use super::{World, at, row, run, unit};
use crate::row::{Class, Filter, InboxRow, IndexRow, Status};
use crate::unit::Unit;
use crate::{Cursor, Page, StoreError};

async fn put(world: &World, row: IndexRow) {
    let mut unit = unit(world.fence, row.run, 0, 1);
    unit.run.as_mut().unwrap().row = row;
    world.commit(unit).await.unwrap();
}

/// Every page of a list, each of `limit` rows, and that a page says rightly whether there are more.
macro_rules! all_pages {
    ($limit:expr, |$cursor:ident| $page:expr) => {{
        let mut all = Vec::new();
        let mut $cursor: Option<Cursor> = None;
        loop {
            let Page { items, next } = $page.await.unwrap();
            assert!(items.len() == $limit || next.is_none() && items.len() < $limit);
            all.extend(items);
            $cursor = next;
            if $cursor.is_none() {
                break all;
            }
        }
    }};
}

/// The newest run comes first, and pages fit together without gap or repeat.
pub async fn newest_first(world: &mut World) {
    assert_eq!(world.store.list(&Filter::default(), None, 5).await, Ok(Page { items: Vec::new(), next: None }));
    for number in [3, 1, 300, 2, 256, 255] {
        put(world, row(run(number), 1)).await;
    }
    world.step().await;
    let expected = [300, 256, 255, 3, 2, 1].map(run);
    let filter = Filter::default();
    for limit in 1..=7 {
        let rows = all_pages!(limit, |cursor| world.store.list(&filter, cursor, limit));
        assert_eq!(rows.iter().map(|row| row.run).collect::<Vec<_>>(), expected, "pages of {limit}");
    }
    // What is started meanwhile does not disturb the pages that follow.
    let first = world.store.list(&filter, None, 2).await.unwrap();
    put(world, row(run(301), 1)).await;
    world.store.delete(run(256), at(0)).await.unwrap();
    world.step().await;
    let second = world.store.list(&filter, first.next, 2).await.unwrap();
    assert_eq!(second.items.iter().map(|row| row.run).collect::<Vec<_>>(), expected[2..4]);
}

/// Whether a filter lets the run with this number through.
type Admits = fn(u64) -> bool;

/// A list gives the rows that its filter lets through, page by page.
pub async fn filters(world: &mut World) {
    let mut units = Vec::new();
    for number in 0..600 {
        let mut row = row(run(number), 1);
        row.workflow = Name::new(if number % 2 == 0 { "orders" } else { "reports" });
        row.status = if number % 3 == 0 { Status::Failed } else { Status::Waiting };
        row.workflow_id = Some(format!("order-{}", number % 100));
        row.labels = vec![("tier".to_owned(), (number % 5).to_string()), ("all".to_owned(), "yes".to_owned())];
        row.started_at = at(number);
        let mut unit = unit(world.fence, row.run, 0, 1);
        unit.run.as_mut().unwrap().row = row;
        units.push(unit);
    }
    assert!(world.store.commit(units).await.iter().all(Result::is_ok));
    world.step().await;
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let filters: [(Filter, Admits); 7] = [
        (Filter { workflow: Some("reports".to_owned()), ..Filter::default() }, |n| n % 2 == 1),
        (Filter { statuses: vec![Status::Failed, Status::Stuck], ..Filter::default() }, |n| n % 3 == 0),
        (Filter { workflow_id: Some("order-42".to_owned()), ..Filter::default() }, |n| n % 100 == 42),
        (Filter { labels: vec![label("tier", "2"), label("all", "yes")], ..Filter::default() }, |n| n % 5 == 2),
        (Filter { labels: vec![label("tier", "9")], ..Filter::default() }, |_| false),
        (Filter { since: Some(at(10)), until: Some(at(20)), ..Filter::default() }, |n| (10..20).contains(&n)),
        (Filter { workflow: Some("orders".to_owned()), since: Some(at(590)), ..Filter::default() }, |n| {
            n >= 590 && n % 2 == 0
        }),
    ];
    for (filter, admits) in filters {
        let expected: Vec<RunId> = (0..600).rev().filter(|n| admits(*n)).map(run).collect();
        let rows = all_pages!(7, |cursor| world.store.list(&filter, cursor, 7));
        assert_eq!(rows.iter().map(|row| row.run).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

/// Every run is in the list of its class and in no other, oldest first.
pub async fn classes(world: &mut World) {
    let all = [Class::InFlight, Class::Dormant, Class::Paused, Class::Stuck, Class::Ended];
    for number in 0..40_u64 {
        let class = all[usize::try_from(number % 5).unwrap()];
        put(world, IndexRow { class, ..row(run(number), 1) }).await;
    }
    world.step().await;
    // Runs 0 and 5 move on, run 10 goes.
    for number in [0, 5] {
        let mut next = unit(world.fence, run(number), 1, 1);
        next.run.as_mut().unwrap().row.class = Class::Ended;
        world.commit(next).await.unwrap();
    }
    world.store.delete(run(10), at(0)).await.unwrap();
    world.step().await;
    for (class, rest) in all.into_iter().zip(0..) {
        let mut expected: Vec<_> = (0..40).filter(|n| n % 5 == rest && ![0, 5, 10].contains(n)).collect();
        if class == Class::Ended {
            expected.extend([0, 5]);
            expected.sort_unstable();
        }
        let expected: Vec<_> = expected.into_iter().map(run).collect();
        let runs = all_pages!(3, |cursor| world.store.open_runs(class, cursor, 3));
        assert_eq!(runs, expected, "{class:?}");
    }
}

/// Each run with inbox rows is listed once.
pub async fn inbox_runs(world: &mut World) {
    for (owner, id) in [(2, "a"), (1, "a"), (2, "b"), (9, "a"), (300, "a"), (300, "b")] {
        let row = InboxRow { run: run(owner), arrival: 0, request_id: id.to_owned(), body: Vec::new() };
        world.commit(Unit { inbox_put: vec![row], ..Unit::default() }).await.unwrap();
    }
    let waiting = world.store.inbox(run(9)).await.unwrap();
    let consumed = Unit { inbox_consumed: vec![(run(9), waiting[0].arrival)], ..Unit::default() };
    world.commit(consumed).await.unwrap();
    world.step().await;
    for limit in 1..=4 {
        let runs = all_pages!(limit, |cursor| world.store.inbox_runs(cursor, limit));
        assert_eq!(runs, [1, 2, 300].map(run));
    }
}

/// A cursor may come from anywhere; a strange one is an error, not a panic.
pub async fn refuses_strange_cursors(world: &mut World) {
    let strange = || Some(Cursor(vec![1, 2, 3]));
    let store = &world.store;
    assert!(matches!(store.list(&Filter::default(), strange(), 1).await, Err(StoreError::Damaged { .. })));
    assert!(matches!(store.open_runs(Class::Ended, strange(), 1).await, Err(StoreError::Damaged { .. })));
    assert!(matches!(store.inbox_runs(strange(), 1).await, Err(StoreError::Damaged { .. })));
}
