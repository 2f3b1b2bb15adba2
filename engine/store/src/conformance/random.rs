//! Two stores side by side: whatever is done to both, they answer alike.

use engine_core::id::{Digest, Name, RunId, Seq, Side};

use super::{World, at, big, event, row, run};
use crate::row::{Class, Filter, InboxRow, Status, TimerClock, TimerKey, TimerRow};
use crate::unit::{Claim, ClaimChange, ClaimState, Fence, Mark, RunWrite, Unit};

/// How many runs there are: few, so that they meet.
const RUNS: u64 = 12;

/// Numbers that follow from a seed (`SplitMix64`), so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.roll(choices.len() as u64)).unwrap()].clone()
    }

    fn times(&mut self, most: u64) -> std::ops::Range<u64> {
        0..self.roll(most + 1)
    }

    fn run(&mut self) -> RunId {
        run(self.roll(RUNS) * 100)
    }

    fn step(&mut self) -> Name {
        Name::new(self.of(&["charge", "charge_2", "a"]))
    }

    fn timer(&mut self) -> TimerKey {
        match self.roll(3) {
            0 => TimerKey::RunTimeout,
            1 => TimerKey::Retry(self.step(), Side::Forward),
            _ => TimerKey::Retry(self.step(), Side::Compensation),
        }
    }

    fn clock(&mut self) -> TimerClock {
        self.of(&[TimerClock::Engine, TimerClock::Wall])
    }

    fn key(&mut self) -> String {
        format!("key-{}", self.roll(5))
    }

    fn class(&mut self) -> Class {
        self.of(&[Class::InFlight, Class::Dormant, Class::Paused, Class::Stuck, Class::Ended])
    }

    fn definition(&mut self) -> Vec<u8> {
        format!("definition {}", self.roll(6)).into_bytes()
    }
}

/// Does `steps` random things to both stores and compares every answer, and in between all that they hold. A world
/// that restarts does so now and then.
pub async fn same_answers(seed: u64, steps: u64, one: &mut World, other: &mut World) {
    let mut dice = Dice(seed);
    for step in 0..steps {
        let context = format!("seed {seed}, step {step}");
        act(&mut dice, one, other, &context).await;
        if dice.roll(20) == 0 {
            compare(&mut dice, one, other, &context).await;
        }
        if dice.roll(200) == 0 {
            one.step().await;
            other.step().await;
        }
    }
    compare(&mut dice, one, other, &format!("seed {seed}, the end")).await;
}

async fn act(dice: &mut Dice, one: &mut World, other: &mut World, context: &str) {
    match dice.roll(100) {
        0..90 => {
            let mut units = Vec::new();
            for _ in 0..=dice.roll(3) {
                units.push(random_unit(dice, one).await);
            }
            let answers = one.store.commit(fenced(units.clone(), one.fence)).await;
            assert_eq!(answers, other.store.commit(fenced(units.clone(), other.fence)).await, "{context}: {units:#?}");
        }
        90..93 => {
            let (run, until) = (dice.run(), at(dice.roll(1_000)));
            assert_eq!(one.store.delete(run, until).await, other.store.delete(run, until).await, "{context}");
        }
        93..96 => {
            let (workflow, bytes) = (dice.of(&["orders", "reports"]), dice.definition());
            let digest = Digest::of(&bytes);
            one.store.put_definition(workflow, digest, &bytes).await.unwrap();
            other.store.put_definition(workflow, digest, &bytes).await.unwrap();
        }
        96 => assert_eq!(one.store.sweep_definitions().await, other.store.sweep_definitions().await, "{context}"),
        _ => {
            let (run, bytes) = (dice.run(), dice.definition());
            let digest = Digest::of(&bytes);
            one.store.put_blob(run, digest, bytes.clone().into()).await.unwrap();
            other.store.put_blob(run, digest, bytes.into()).await.unwrap();
        }
    }
}

/// Good fences in a unit are marked as one; the two stores have opened a different number of times.
const GOOD: Fence = Fence(u64::MAX);

fn fenced(mut units: Vec<Unit>, fence: Fence) -> Vec<Unit> {
    for write in units.iter_mut().filter_map(|unit| unit.run.as_mut()) {
        if write.fence == GOOD {
            write.fence = fence;
        }
    }
    units
}

async fn random_unit(dice: &mut Dice, world: &World) -> Unit {
    let mut unit = Unit::default();
    if dice.roll(5) > 0 {
        unit.run = Some(random_write(dice, world).await);
    }
    for _ in dice.times(2) {
        let run = dice.run();
        for row in world.store.inbox(run).await.unwrap() {
            if dice.roll(2) == 0 {
                unit.inbox_consumed.push((run, row.arrival));
            }
        }
        if dice.roll(20) == 0 {
            unit.inbox_consumed.push((run, dice.roll(50)));
        }
    }
    for _ in dice.times(2) {
        let (run, id) = (dice.run(), dice.roll(6));
        unit.inbox_put.push(InboxRow { run, arrival: 0, request_id: format!("request-{id}"), body: vec![1; 20] });
    }
    for _ in dice.times(2) {
        let (run, timer, due, clock) = (dice.run(), dice.timer(), at(dice.roll(600)), dice.clock());
        unit.timers_set.push(TimerRow { run, timer, due, clock });
    }
    for _ in dice.times(2) {
        unit.timers_removed.push((dice.run(), dice.timer()));
    }
    for _ in dice.times(1) {
        let (run, name, value) = (dice.run(), dice.of(&["a", "ab"]).to_owned(), vec![dice.of(&[1, 2, 3])]);
        unit.marks.push(Mark { run, name, value });
    }
    for _ in dice.times(2) {
        let (key, from, now) = (dice.key(), dice.run(), at(dice.roll(1_000)));
        let claim = Claim { run: dice.run(), input: Digest::of(b"input"), state: ClaimState::Live };
        unit.claims.push(match dice.roll(3) {
            0 => ClaimChange::Take { key, claim, now },
            1 => ClaimChange::Move { key, from, to: claim },
            _ => ClaimChange::Release { key, from },
        });
    }
    unit
}

async fn random_write(dice: &mut Dice, world: &World) -> RunWrite {
    let run = dice.run();
    let known = world.store.row(run).await.unwrap().map_or(0, |row| row.last.0);
    let expected = if dice.roll(10) == 0 { known + dice.roll(3) } else { known };
    let count = if known == 0 { 1 + dice.roll(4) } else { dice.roll(4) };
    let large = dice.roll(30) == 0;
    let seqs = expected + 1..=expected + count;
    let events: Vec<_> = seqs.map(|seq| if large { big(seq, 90_000) } else { event(seq) }).collect();
    let mut row = row(run, expected + events.len() as u64);
    row.class = dice.class();
    row.status = dice.of(&[Status::Running, Status::Waiting, Status::Failed]);
    row.definition = Digest::of(&dice.definition());
    let fence = if dice.roll(30) == 0 { Fence(0) } else { GOOD };
    RunWrite { run, expected: Seq(expected), fence, events, row }
}

/// Compares all that two stores show.
async fn compare(dice: &mut Dice, one: &World, other: &World, context: &str) {
    macro_rules! same {
        ($store:ident, $read:expr) => {{
            let left = {
                let $store = &one.store;
                $read.await
            };
            let right = {
                let $store = &other.store;
                $read.await
            };
            assert_eq!(left, right, "{context}");
            left
        }};
    }
    let limit = usize::try_from(1 + dice.roll(5)).unwrap();
    for number in 0..RUNS {
        let run = run(number * 100);
        let from = Seq(dice.roll(10));
        same!(store, store.read(run, from, limit)).unwrap();
        same!(store, store.read(run, Seq(1), usize::MAX)).unwrap();
        same!(store, store.row(run)).unwrap();
        same!(store, store.inbox(run)).unwrap();
        same!(store, store.mark(run, "a")).unwrap();
        for number in 0..6 {
            let digest = Digest::of(format!("definition {number}").as_bytes());
            // An error here is an answer: blobs may be missing, and both stores must miss them.
            let _ = same!(store, store.blob(run, digest));
        }
    }
    for class in [Class::InFlight, Class::Dormant, Class::Paused, Class::Stuck, Class::Ended] {
        let page = same!(store, store.open_runs(class, None, limit)).unwrap();
        same!(store, store.open_runs(class, page.next.clone(), limit)).unwrap();
    }
    let filters = [Filter::default(), Filter { statuses: vec![Status::Failed], ..Filter::default() }];
    for filter in filters {
        let page = same!(store, store.list(&filter, None, limit)).unwrap();
        same!(store, store.list(&filter, page.next.clone(), limit)).unwrap();
    }
    for clock in [TimerClock::Engine, TimerClock::Wall] {
        let until = at(dice.roll(700));
        same!(store, store.due_timers(clock, until, None, usize::MAX)).unwrap();
        let page = same!(store, store.due_timers(clock, until, None, limit)).unwrap();
        same!(store, store.due_timers(clock, until, page.next.clone(), limit)).unwrap();
    }
    let page = same!(store, store.inbox_runs(None, limit)).unwrap();
    same!(store, store.inbox_runs(page.next.clone(), limit)).unwrap();
    for number in 0..5 {
        same!(store, store.claim(&format!("key-{number}"))).unwrap();
        same!(store, store.definition(Digest::of(format!("definition {number}").as_bytes()))).unwrap();
    }
    same!(store, store.current_definitions()).unwrap();
    for workflow in ["orders", "reports"] {
        same!(store, store.current_definition(workflow)).unwrap();
    }
    same!(store, store.watermark()).unwrap();
}
