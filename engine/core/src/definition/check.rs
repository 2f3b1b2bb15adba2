//! From the file to the definition: what is checked, in which order, and what is noted meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::order::{Ancestors, Edges};
use super::policies::Policies;
use super::texts::{Place, Scope};
use super::{Definition, Service, Step, StepIndex, input};
use crate::bounds;
use crate::format::{self, At, DefinitionErrors, Document, Entries, Findings, did_you_mean, pointer_to, quoted};
use crate::id::{Digest, Name};

/// What is known of a workflow while it is checked.
pub(super) struct Checker<'f> {
    pub(super) file: &'f format::Workflow,
    pub(super) findings: Findings,
    /// What is no problem, and still rather a slip.
    pub(super) notes: Findings,
    /// The keys that the input's schema speaks of, where it means these and no others.
    pub(super) known_inputs: Option<BTreeSet<String>>,
    pub(super) by_name: IndexMap<Name, StepIndex>,
    /// Where the steps of `on_failure` begin.
    pub(super) main: usize,
    pub(super) services: IndexMap<Name, Service>,
    pub(super) service_timeouts: BTreeMap<Name, Duration>,
    pub(super) policies: Policies,
    /// For each step those it comes after.
    pub(super) after: Vec<BTreeSet<StepIndex>>,
    /// What compensations read of other steps.
    pub(super) undo_reads: Vec<UndoRead>,
}

/// A problem that is among the findings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted;

/// A part of the file, compiled, or what is wrong with it noted.
pub(super) type Checked<T> = Result<T, Noted>;

/// A step that a compensation reads.
pub(super) struct UndoRead {
    pub(super) reader: StepIndex,
    pub(super) read: StepIndex,
    pub(super) pointer: String,
    pub(super) at: At,
}

/// Checks a file and compiles it.
pub(super) fn check(file: &format::Workflow, document: &Document<'_>) -> Result<Definition, DefinitionErrors> {
    let mut checker = Checker::new(file);
    let definition = checker.run();
    checker.findings.into_result(document)?;
    let mut definition = definition.map_err(|Noted| DefinitionErrors::unreadable())?;
    definition.notes = checker.notes.into_result(document).err().map(|notes| notes.problems).unwrap_or_default();
    Ok(definition)
}

impl<'f> Checker<'f> {
    fn new(file: &'f format::Workflow) -> Self {
        Self {
            file,
            findings: Findings::default(),
            notes: Findings::default(),
            known_inputs: file.input.as_ref().and_then(input::known_keys),
            by_name: IndexMap::new(),
            main: 0,
            services: IndexMap::new(),
            service_timeouts: BTreeMap::new(),
            policies: Policies::default(),
            after: Vec::new(),
            undo_reads: Vec::new(),
        }
    }

    fn run(&mut self) -> Checked<Definition> {
        self.within_bounds()?;
        self.heading();
        self.names();
        self.services();
        self.defaults();
        let file = self.file;
        let schema = file.input.as_ref().and_then(|input| input::compile(input, &mut self.findings));
        let timeout = self.span(file.timeout.as_deref(), "/timeout");
        let steps = self.steps();
        let output = file.output.as_ref().map(|output| {
            let place = Place { step: None, scope: Scope::WorkflowOutput, on_failure: false };
            self.template(output, place, "/output")
        });
        let edges = Edges::new(std::mem::take(&mut self.after));
        let (order, ancestors) = self.order(&edges)?;
        let pivot = self.pivot(&ancestors);
        self.undo_reads(&ancestors);
        if !self.findings.is_empty() {
            return Err(Noted);
        }
        let source = self.source()?;
        Ok(Definition {
            name: Name::new(file.name.as_str()),
            version: file.version.clone(),
            description: file.description.clone(),
            labels: pairs(file.labels.as_ref()),
            digest: Digest::of(&source),
            source,
            schema,
            example: file.input.as_ref().and_then(|input| input.example.clone()),
            services: std::mem::take(&mut self.services),
            steps: wire(steps?, edges),
            main: self.main,
            by_name: std::mem::take(&mut self.by_name),
            order,
            ancestors,
            pivot,
            timeout,
            output: output.transpose()?,
            notes: Vec::new(),
        })
    }

    /// The canonical text. It is shorter than the file but for numbers: `1e9` becomes `1e+9`.
    fn source(&mut self) -> Checked<Arc<[u8]>> {
        let source = serde_json::to_vec(self.file).map_err(|_| Noted)?;
        if source.len() > bounds::FILE_LEN {
            self.findings.add("", "this file is too large once its numbers are written out");
            return Err(Noted);
        }
        Ok(source.into())
    }

    /// A file far too large is told so, and nothing else.
    fn within_bounds(&mut self) -> Checked<()> {
        let services = self.file.services.as_ref().map_or(0, Entries::len);
        let steps = self.file.steps.len() + self.file.on_failure.as_ref().map_or(0, Entries::len);
        for (what, pointer, count, most) in
            [("steps", "/steps", steps, bounds::STEPS), ("services", "/services", services, bounds::SERVICES)]
        {
            if count > most {
                let message = format!("a workflow may have {most} {what}; this one has {count}");
                self.findings.add_at(pointer, At::Key, || message);
            }
        }
        let edges: usize = self.all_steps().filter_map(|(_, _, step)| step.after.as_ref()).map(Vec::len).sum();
        self.edges_within_bounds(edges)?;
        if self.findings.is_empty() { Ok(()) } else { Err(Noted) }
    }

    fn edges_within_bounds(&mut self, edges: usize) -> Checked<()> {
        if edges > bounds::EDGES {
            let most = bounds::EDGES;
            let message = format!("the steps of a workflow may come after each other {most} times; here it is {edges}");
            self.findings.add_at("/steps", At::Key, || message);
            return Err(Noted);
        }
        Ok(())
    }

    /// All steps with their pointers: the workflow's own, then those of `on_failure`.
    pub(super) fn all_steps(&self) -> impl Iterator<Item = (&'static str, &'f String, &'f format::Step)> + use<'f> {
        let main = self.file.steps.iter().map(|(name, step)| ("/steps", name, step));
        let on_failure = self.file.on_failure.iter().flatten();
        main.chain(on_failure.map(|(name, step)| ("/on_failure", name, step)))
    }

    fn heading(&mut self) {
        let file = self.file;
        if let Err(error) = Name::check(&file.name) {
            self.findings.add("/name", error.to_string());
        }
        self.text_within_bounds(&file.version, "/version", "the version");
        for (key, value) in file.labels.iter().flatten() {
            let pointer = pointer_to("/labels", key);
            if key.is_empty() || key.len() > bounds::ID_LEN {
                let message = format!("the key of a label has 1 to {} bytes", bounds::ID_LEN);
                self.findings.add_at(&pointer, At::Key, || message);
            }
            self.text_within_bounds(value, &pointer, "the value of a label");
        }
    }

    fn text_within_bounds(&mut self, text: &str, pointer: &str, what: &str) {
        if text.is_empty() || text.len() > bounds::ID_LEN {
            self.findings.add(pointer, format!("{what} has 1 to {} bytes", bounds::ID_LEN));
        }
    }

    /// Gives each step its index.
    fn names(&mut self) {
        self.main = self.file.steps.len();
        if self.main == 0 {
            self.findings.add_at("/steps", At::Key, || "a workflow has at least one step".into());
        }
        for (index, (place, name, _)) in self.all_steps().enumerate() {
            let pointer = pointer_to(place, name);
            if let Err(error) = Name::check(name) {
                self.findings.add_at(&pointer, At::Key, || error.to_string());
            }
            let earlier = self.by_name.insert(Name::new(name.as_str()), StepIndex::at(index));
            if let Some(earlier) = earlier {
                // Only `on_failure` can repeat a name: within one object a key stands once.
                self.by_name.insert(Name::new(name.as_str()), earlier);
                let message = || format!("{} is already a step of the workflow; names are used once", quoted(name));
                self.findings.add_at(&pointer, At::Key, message);
            }
            self.after.push(BTreeSet::new());
        }
    }

    pub(super) fn is_on_failure(&self, step: StepIndex) -> bool {
        step.get() >= self.main
    }

    pub(super) fn name_of(&self, step: StepIndex) -> &'f str {
        let main = self.file.steps.0.get_index(step.get());
        let on_failure = || self.file.on_failure.as_ref()?.0.get_index(step.get() - self.main);
        main.or_else(on_failure).map_or("", |(name, _)| name)
    }

    /// `: did you mean …?` for a step that is not there, among those that are `on_failure` steps or are not.
    pub(super) fn near_step(&self, name: &str, on_failure: bool) -> String {
        if self.findings.is_full() {
            return String::new();
        }
        let known = self.by_name.iter().filter(|(_, step)| self.is_on_failure(**step) == on_failure);
        did_you_mean(name, known.map(|(name, _)| name.as_str()))
    }

    pub(super) fn pointer_of(&self, step: StepIndex) -> String {
        pointer_to(if self.is_on_failure(step) { "/on_failure" } else { "/steps" }, self.name_of(step))
    }

    /// The order of the steps, where they can be ordered.
    fn order(&mut self, edges: &Edges) -> Checked<(Vec<StepIndex>, Ancestors)> {
        self.edges_within_bounds(edges.after.iter().map(Vec::len).sum())?;
        if let Some(order) = edges.topological() {
            let ancestors = edges.ancestors(&order);
            return Ok((order, ancestors));
        }
        for cycle in edges.cycles() {
            let way = self.way(&cycle);
            let pointer = cycle.first().map(|step| self.pointer_of(*step)).unwrap_or_default();
            let message =
                || format!("these steps wait for each other: {way}; one of them must not come after the one before it");
            self.findings.add_at(&pointer, At::Key, message);
        }
        Err(Noted)
    }

    /// The steps of a cycle; the middle of a long one is left out.
    fn way(&self, cycle: &[StepIndex]) -> String {
        const SHOWN: usize = 10;
        let names: Vec<_> = cycle.iter().map(|step| self.name_of(*step)).collect();
        match (names.split_first_chunk::<SHOWN>(), names.split_last_chunk::<SHOWN>()) {
            (Some((first, _)), Some((between, last))) if between.len() > SHOWN => {
                format!("{} → ({} more) → {}", first.join(" → "), between.len() - SHOWN, last.join(" → "))
            }
            _ => names.join(" → "),
        }
    }

    /// The point of no return: one at most, and every step stands clearly before or behind it.
    fn pivot(&mut self, ancestors: &Ancestors) -> Option<StepIndex> {
        let pivots: Vec<StepIndex> = self
            .file
            .steps
            .iter()
            .enumerate()
            .filter(|(_, (_, step))| step.pivot == Some(true))
            .map(|(index, _)| StepIndex::at(index))
            .collect();
        let pivot = *pivots.first()?;
        for second in pivots.iter().skip(1) {
            let message = format!(
                "a workflow has one pivot at most: both `{}` and `{}` say they are it",
                self.name_of(pivot),
                self.name_of(*second)
            );
            self.findings.add(&format!("{}/pivot", self.pointer_of(*second)), message);
        }
        let beside: Vec<&str> = (0..self.main)
            .map(StepIndex::at)
            .filter(|step| *step != pivot && !ancestors.has(pivot, *step) && !ancestors.has(*step, pivot))
            .map(|step| self.name_of(step))
            .collect();
        if !beside.is_empty() {
            let mut names: Vec<_> = beside.iter().take(10).map(|name| format!("`{name}`")).collect();
            if beside.len() > 10 {
                names.push(format!("{} more", beside.len() - 10));
            }
            let message = format!(
                "the pivot stands beside a branch: neither before nor after `{}` come {}; put each there with `after`",
                self.name_of(pivot),
                names.join(", ")
            );
            self.findings.add(&format!("{}/pivot", self.pointer_of(pivot)), message);
        }
        Some(pivot)
    }

    /// A compensation may only read what has certainly ended before its step.
    fn undo_reads(&mut self, ancestors: &Ancestors) {
        for read in std::mem::take(&mut self.undo_reads) {
            if read.read == read.reader || ancestors.has(read.reader, read.read) {
                continue;
            }
            let (reader, other) = (self.name_of(read.reader), self.name_of(read.read));
            let message = format!(
                "the compensation of `{reader}` reads `.steps.{other}`, but `{other}` need not have run before \
                 `{reader}`; add `{other}` to `after` of `{reader}`, or do without it"
            );
            self.findings.add_at(&read.pointer, read.at, || message);
        }
    }
}

pub(super) fn pairs(entries: Option<&Entries<String>>) -> Vec<(String, String)> {
    entries.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn wire(steps: Vec<Step>, edges: Edges) -> Vec<Step> {
    let neighbours = edges.after.into_iter().zip(edges.before);
    steps.into_iter().zip(neighbours).map(|(step, (after, before))| Step { after, before, ..step }).collect()
}
