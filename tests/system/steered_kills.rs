//! Requests from second processes while the process that drives, and now and then the one that asks, is killed: every
//! request that was acknowledged stands in the history exactly once, with the answer that was given.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use engine_core::time::millis;
use serde_json::{Map, Value, json};

use crate::case::{Case, Saga, cases};
use crate::support::{Engine, Ran, Random, Running, Shop, fast, input};

/// Kills in all, of processes that were alive; most of them had been started to drive.
const KILLS: usize = 300;
const WORKERS: usize = 4;

/// A run is left to itself once it was driven so many times, or up to `MORE_DRIVES` times more.
const DRIVES: u64 = 4;
const MORE_DRIVES: u64 = 6;

/// The cases whose runs end by themselves, whatever is cut off.
const CASES: [&str; 3] = ["all well", "charge flaky", "stock update refused"];

/// What keeps runs in flight for a while; the rules of a case come first.
const SLOW: [&str; 5] = [
    "user/validate:delay=40ms",
    "payment/process:delay=80ms",
    "inventory/update:delay=80ms",
    "order/create:delay=80ms",
    "payment/refund:delay=80ms",
];

/// A process that has not called a service by then hardly will.
const SOON: Duration = Duration::from_secs(5);

const RUN: &str = "order-1001";

/// What came of it all.
#[derive(Default, Debug)]
struct Tally {
    rounds: usize,
    owners_killed: usize,
    askers_killed: usize,
    acknowledged: usize,
    unacknowledged: usize,
    /// Repeats of requests that had been acknowledged.
    repeated: usize,
    /// Requests that were recorded, though nobody heard the answer.
    unheard: usize,
    /// Attempts that recovery found cut off.
    cut_off: usize,
    /// How runs ended.
    ends: BTreeMap<String, usize>,
    /// How askers ended.
    exits: BTreeMap<Option<i32>, usize>,
}

#[test]
fn acknowledged_requests_survive_kills() {
    let (cases, latest) = (some_cases(), latest_ms());
    let (kills, next) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (seeds, tally) = (Mutex::new(Random::seeded("steered kills")), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while kills.load(Ordering::Relaxed) < KILLS {
                    let random = seeds.lock().unwrap().fork();
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    let part = play(&cases[round % cases.len()], random, latest);
                    kills.fetch_add(part.owners_killed + part.askers_killed, Ordering::Relaxed);
                    tally.lock().unwrap().add(part);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    eprintln!("{tally:?}");
    assert!(tally.cut_off >= KILLS / 10, "the kills came at the wrong moments: {tally:?}");
    assert!(tally.acknowledged >= KILLS / 2, "hardly anything was acknowledged: {tally:?}");
}

fn some_cases() -> Vec<Case> {
    let found: Vec<Case> = cases().into_iter().filter(|case| CASES.contains(&case.name)).collect();
    assert_eq!(found.len(), CASES.len());
    found
}

fn open(case: &Case) -> Shop {
    Shop::open(&[case.faults, &SLOW].concat())
}

/// The latest moment of a kill: when an undisturbed run is well under way on this machine as it is now.
fn latest_ms() -> u64 {
    let shop = Shop::open(&SLOW);
    let (engine, file) = (shop.engine(), shop.file(&fast()));
    let began = Instant::now();
    engine.run(&file, &["--input", &input().to_string()]).assert_exit(0);
    millis(began.elapsed()) * 2 / 3
}

impl Tally {
    fn add(&mut self, part: Self) {
        self.rounds += 1;
        self.owners_killed += part.owners_killed;
        self.askers_killed += part.askers_killed;
        self.acknowledged += part.acknowledged;
        self.unacknowledged += part.unacknowledged;
        self.repeated += part.repeated;
        self.unheard += part.unheard;
        self.cut_off += part.cut_off;
        for (end, times) in part.ends {
            *self.ends.entry(end).or_default() += times;
        }
        for (exit, times) in part.exits {
            *self.exits.entry(exit).or_default() += times;
        }
    }
}

/// One run, killed and asked until it ends or was killed often enough, and then brought to its end.
fn play(case: &Case, mut random: Random, latest: u64) -> Tally {
    let shop = open(case);
    let (file, input) = (case.workflow(Saga::File, &shop), case.input());
    let place = Place { shop: &shop, engine: shop.engine(), file, input, latest };
    let mut asker = Asker::new(&place, random.fork());
    let owners_killed = std::thread::scope(|scope| {
        let killer = scope.spawn(|| place.kill_owners(&mut random));
        asker.ask_while(|| !killer.is_finished());
        killer.join().unwrap()
    });
    let exit = asker.bring_to_its_end();
    asker.repeat_some();
    let history = place.engine.verb(&["history", RUN, "-o", "json"]).assert_exit(0).json();
    let events = history["events"].as_array().unwrap();
    asker.assert_all_stand_in(events);
    shop.until("late effects", |ledger| ledger["pending"] == 0);
    shop.assert_keys_are_sound();
    let end = assert_sound_end(case, &shop, exit, events);
    let mut tally = asker.tally;
    (tally.owners_killed, tally.cut_off) = (owners_killed, cut_off(events));
    tally.ends.insert(end, 1);
    tally
}

/// The binary, a data directory, and the run that is there.
struct Place<'a> {
    shop: &'a Shop,
    engine: Engine,
    file: PathBuf,
    input: String,
    latest: u64,
}

impl Place<'_> {
    fn run_arguments(&self) -> [&str; 4] {
        ["--id", RUN, "--input", &self.input]
    }

    /// Starts processes that drive the run, and kills them, until it ends or that was done often enough.
    fn kill_owners(&self, random: &mut Random) -> usize {
        let mut kills = 0;
        for _ in 0..DRIVES + random.below(MORE_DRIVES) {
            if random.below(3) == 0 {
                // Whoever asks now has the directory itself.
                std::thread::sleep(Duration::from_millis(random.below(self.latest / 4)));
            }
            let child = match random.below(3) {
                0 => self.engine.spawn(&["recover", "-o", "json"]),
                _ => self.engine.spawn_run(&self.file, &self.run_arguments()),
            };
            let ran = self.kill_owner(child, random);
            match ran.exit {
                None => kills += 1,
                // Nothing there yet, or paused, or waiting for an operator.
                Some(3 | 7 | 9) => {}
                Some(0 | 4 | 5) => break,
                Some(_) => panic!("who drove it ended so: {ran:?}"),
            }
        }
        kills
    }

    /// Kills it at any moment, or, mostly, while it is at work, however long it takes to start.
    fn kill_owner(&self, mut child: Child, random: &mut Random) -> Ran {
        if random.below(4) == 0 {
            return kill_after(child, Duration::from_millis(random.below(self.latest)));
        }
        let (began, before) = (Instant::now(), self.calls());
        while self.calls() == before && began.elapsed() < SOON && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        kill_after(child, Duration::from_millis(random.below(200)))
    }

    /// How often services were called.
    fn calls(&self) -> usize {
        self.shop.ledger()["entries"].as_array().unwrap().len()
    }
}

/// What a process came to that was killed after a while, unless it had ended by then. It says little: pipes hold it.
fn kill_after(mut child: Child, delay: Duration) -> Ran {
    let began = Instant::now();
    while began.elapsed() < delay && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    // It may have ended in the meantime: then the kill comes too late.
    child.kill().unwrap();
    ended(child)
}

fn ended(child: Child) -> Ran {
    let ran = Running::new(child).end();
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    ran
}

/// A request, which has an id of its own.
struct Asked {
    id: String,
    verb: Vec<&'static str>,
    /// The answer, once one was heard.
    answer: Option<Value>,
}

/// Who asks, by a process for each request.
struct Asker<'a> {
    place: &'a Place<'a>,
    random: Random,
    asked: Vec<Asked>,
    tally: Tally,
}

impl<'a> Asker<'a> {
    fn new(place: &'a Place<'a>, random: Random) -> Self {
        Self { place, random, asked: Vec::new(), tally: Tally::default() }
    }

    fn ask_while(&mut self, goes_on: impl Fn() -> bool) {
        while goes_on() {
            std::thread::sleep(Duration::from_millis(self.random.below(self.place.latest / 2)));
            let index = match self.random.below(4) {
                0 if !self.asked.is_empty() => self.any(),
                _ => {
                    let verb = any_verb(&mut self.random);
                    self.new_request(&verb)
                }
            };
            let patience = (self.random.below(4) == 0).then(|| self.random.below(self.place.latest / 4));
            self.ask(index, patience.map(Duration::from_millis));
        }
    }

    fn any(&mut self) -> usize {
        usize::try_from(self.random.below(self.asked.len() as u64)).unwrap()
    }

    fn new_request(&mut self, verb: &[&'static str]) -> usize {
        let id = format!("request-{}", self.asked.len());
        self.asked.push(Asked { id, verb: verb.to_vec(), answer: None });
        self.asked.len() - 1
    }

    /// Asks, for the first time or again; by a process that is killed after a while, where there is no more patience.
    fn ask(&mut self, index: usize, patience: Option<Duration>) {
        let is_known = self.asked.iter().any(|asked| asked.answer.is_some());
        let asked = &mut self.asked[index];
        let verb = [&asked.verb[..1], &[RUN], &asked.verb[1..], &["--request-id", &asked.id, "-o", "json"]].concat();
        let child = self.place.engine.spawn(&verb);
        let ran = match patience {
            Some(patience) => kill_after(child, patience),
            None => ended(child),
        };
        self.tally.askers_killed += usize::from(ran.exit.is_none());
        *self.tally.exits.entry(ran.exit).or_default() += 1;
        assert!(!is_known || ran.exit != Some(3), "a run that had answered is gone: {verb:?}: {ran:?}");
        let Some(answer) = answer(&ran) else {
            assert!(matches!(ran.exit, None | Some(3 | 7 | 9)), "{verb:?} was not answered: {ran:?}");
            self.tally.unacknowledged += 1;
            return;
        };
        if let Some(before) = &asked.answer {
            assert_eq!(*before, answer, "{verb:?} got another answer than before");
            self.tally.repeated += 1;
        }
        self.tally.acknowledged += usize::from(asked.answer.is_none());
        asked.answer = Some(answer);
    }

    /// Lets the run end, and gives the exit code.
    fn bring_to_its_end(&mut self) -> i32 {
        for _ in 0..6 {
            let ran = self.place.engine.run(&self.place.file, &self.place.run_arguments());
            assert!(!ran.stderr.contains("panicked"), "{ran:?}");
            let index = match ran.exit {
                Some(9) => self.new_request(&["resume"]),
                // It was killed too often.
                Some(7) => self.new_request(&["resolve", "--retry"]),
                Some(exit @ (0 | 4 | 5)) => return exit,
                _ => panic!("{ran:?}"),
            };
            self.ask(index, None);
            assert!(self.asked[index].answer.is_some(), "nobody else was there: it is answered");
        }
        panic!("the run does not end: {:?}", self.place.engine.verb(&["history", RUN]));
    }

    /// A run that has ended says the same as ever, too.
    fn repeat_some(&mut self) {
        for _ in 0..self.asked.len().min(2) {
            let index = self.any();
            self.ask(index, None);
            assert!(self.asked[index].answer.is_some(), "a run that has ended answers");
        }
    }

    /// What was acknowledged stands in the history once, as it was answered, and nothing stands there twice. Runs
    /// that have ended record nothing.
    fn assert_all_stand_in(&mut self, events: &[Value]) {
        let recorded: Vec<(&str, Value)> = events
            .iter()
            .filter(|event| event["event"] == "RequestAnswered")
            .map(|event| (event["id"].as_str().unwrap(), of_answer(event)))
            .collect();
        for asked in &self.asked {
            let found: Vec<&Value> =
                recorded.iter().filter(|(id, _)| *id == asked.id).map(|(_, answer)| answer).collect();
            match &asked.answer {
                Some(answer) if answer["code"] == "ENDED" => assert!(found.is_empty(), "{}: {found:?}", asked.id),
                Some(answer) => assert_eq!(found, [answer], "{}: {:?}\n{events:#?}", asked.id, asked.verb),
                None => assert!(found.len() <= 1, "{}: {found:?}", asked.id),
            }
            self.tally.unheard += usize::from(asked.answer.is_none() && !found.is_empty());
        }
        let is_ours = |id: &str| self.asked.iter().any(|asked| asked.id == id);
        assert!(recorded.iter().all(|(id, _)| is_ours(id)), "answers that nobody asked for: {recorded:?}");
    }
}

/// Mostly signals: what changes how the run goes on is rare enough for most runs to be killed a few times before.
fn any_verb(random: &mut Random) -> Vec<&'static str> {
    match random.below(40) {
        0 => vec!["terminate"],
        1 | 2 => vec!["cancel", "--reason", "changed her mind"],
        3..8 => vec!["pause"],
        8..18 => vec!["resume"],
        18 | 19 => vec!["resolve", "charge", "--retry"],
        20 | 21 => vec!["resolve", "create_record", "--fail"],
        22 | 23 => vec!["resolve", "no_such_step", "--skip"],
        24 | 25 => vec!["resume", "--wait"],
        _ => vec!["signal", "paid", "--payload", r#"{"amount":1.10}"#],
    }
}

/// What the run has answered, where that was heard: one that was killed after it had told so has acknowledged, too.
fn answer(ran: &Ran) -> Option<Value> {
    let Ok(document) = serde_json::from_str::<Value>(&ran.stdout) else {
        // Who drives the run on says first what it has answered.
        let said = [("resume: accepted\n", "accepted"), ("resume: there was nothing to do\n", "no_op")];
        return said.iter().find(|(line, _)| ran.stderr.contains(line)).map(|(_, answer)| json!({ "answer": answer }));
    };
    let answer = of_answer(document.get("request")?);
    assert!(answer["answer"].is_string(), "{ran:?}");
    assert_eq!(
        answer["answer"] == "refused",
        ran.exit == Some(2) || (ran.exit.is_none() && document["exit_code"] == 2)
    );
    Some(answer)
}

/// The answer in a document that has more.
fn of_answer(document: &Value) -> Value {
    let fields = ["answer", "code", "message"];
    let found = fields.iter().filter_map(|field| Some(((*field).to_owned(), document.get(*field)?.clone())));
    Value::Object(found.collect::<Map<_, _>>())
}

fn cut_off(events: &[Value]) -> usize {
    let notes = events.iter().filter(|event| event["event"] == "RecoveryNoted");
    notes.map(|note| note["cut_off"].as_array().unwrap().len()).sum()
}

/// The run has ended as its case says, or as it was asked to, and so is the world. Gives how.
fn assert_sound_end(case: &Case, shop: &Shop, exit: i32, events: &[Value]) -> String {
    let last = events.last().unwrap();
    let accepted = |request: &str| {
        let mut events = events.iter().filter(|event| event["event"] == "RequestAnswered");
        events.any(|event| event["kind"] == request && event["answer"] == "accepted")
    };
    let (end, effects) = (last["event"].as_str().unwrap(), shop.effects());
    let end = last["cause"].as_str().unwrap_or(end);
    let what = format!("{}: {events:#?}\n{effects:?}", case.name);
    match end {
        "terminated" => assert!(accepted("terminate"), "{what}"),
        "cancelled" => {
            assert_eq!((effects.net.as_str(), effects.stock, effects.records), ("0.00", 0, 0), "{what}");
            assert!(!accepted("terminate"), "{what}");
        }
        _ => {
            assert_eq!(exit, case.exit, "{what}");
            assert_eq!(effects.net(), case.effects.clone().net(), "{what}");
            assert!(!accepted("terminate") && !accepted("cancel"), "{what}");
        }
    }
    assert_eq!(exit == 5, matches!(end, "terminated" | "cancelled"), "{what}");
    end.to_owned()
}
