//! The order of steps: who comes before whom, and whether that can be.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::StepIndex;

/// Which steps each step comes after, and which come after it.
#[derive(Debug)]
pub(super) struct Edges {
    pub(super) after: Vec<Vec<StepIndex>>,
    pub(super) before: Vec<Vec<StepIndex>>,
}

impl Edges {
    pub(super) fn new(after: Vec<BTreeSet<StepIndex>>) -> Self {
        let mut before = vec![Vec::new(); after.len()];
        for (index, earlier) in after.iter().enumerate() {
            for step in earlier {
                if let Some(later) = before.get_mut(step.get()) {
                    later.push(StepIndex::at(index));
                }
            }
        }
        Self { after: after.into_iter().map(|earlier| earlier.into_iter().collect()).collect(), before }
    }

    fn after(&self, step: StepIndex) -> &[StepIndex] {
        self.after.get(step.get()).map_or(&[], Vec::as_slice)
    }

    fn before(&self, step: StepIndex) -> &[StepIndex] {
        self.before.get(step.get()).map_or(&[], Vec::as_slice)
    }

    /// All steps, each after those it comes after; among the free ones the order of the file. Nothing where some
    /// wait for each other.
    pub(super) fn topological(&self) -> Option<Vec<StepIndex>> {
        let mut waits_for: Vec<usize> = self.after.iter().map(Vec::len).collect();
        let mut free: BinaryHeap<Reverse<StepIndex>> =
            (0..self.after.len()).map(StepIndex::at).filter(|step| self.after(*step).is_empty()).map(Reverse).collect();
        let mut order = Vec::with_capacity(self.after.len());
        while let Some(Reverse(step)) = free.pop() {
            order.push(step);
            for later in self.before(step) {
                let Some(count) = waits_for.get_mut(later.get()) else { continue };
                *count -= 1;
                if *count == 0 {
                    free.push(Reverse(*later));
                }
            }
        }
        (order.len() == self.after.len()).then_some(order)
    }

    /// For each group of steps that wait for each other, a shortest way round: the first step stands at both ends.
    pub(super) fn cycles(&self) -> Vec<Vec<StepIndex>> {
        let mut graph = DiGraph::<(), ()>::new();
        let nodes: Vec<_> = self.after.iter().map(|_| graph.add_node(())).collect();
        for (index, later) in self.before.iter().enumerate() {
            for step in later {
                if let (Some(from), Some(to)) = (nodes.get(index), nodes.get(step.get())) {
                    graph.add_edge(*from, *to, ());
                }
            }
        }
        let groups = kosaraju_scc(&graph).into_iter().filter(|group| group.len() > 1);
        let groups = groups.map(|group| group.into_iter().map(|node| StepIndex::at(node.index())).collect());
        let mut cycles: Vec<_> = groups.filter_map(|group| self.way_round(&group)).collect();
        cycles.sort();
        cycles
    }

    fn way_round(&self, group: &BTreeSet<StepIndex>) -> Option<Vec<StepIndex>> {
        let start = *group.first()?;
        let mut came_from = vec![None; self.after.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(step) = queue.pop_front() {
            for later in self.before(step).iter().filter(|later| group.contains(later)) {
                let from = came_from.get_mut(later.get())?;
                if from.is_none() {
                    *from = Some(step);
                    queue.push_back(*later);
                }
            }
        }
        let mut way = vec![start];
        let mut step = start;
        loop {
            step = (*came_from.get(step.get())?)?;
            way.push(step);
            if step == start {
                way.reverse();
                return Some(way);
            }
        }
    }

    /// Who comes before whom, over any number of steps.
    pub(super) fn ancestors(&self, order: &[StepIndex]) -> Ancestors {
        let words = self.after.len().div_ceil(64);
        let mut rows = vec![0; words * self.after.len()];
        for step in order {
            let mut row = vec![0; words];
            for earlier in self.after(*step) {
                let start = earlier.get() * words;
                let theirs = rows.get(start..start + words).unwrap_or_default();
                row.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine |= theirs);
                if let Some(word) = row.get_mut(earlier.get() / 64) {
                    *word |= 1 << (earlier.get() % 64);
                }
            }
            let start = step.get() * words;
            if let Some(place) = rows.get_mut(start..start + words) {
                place.copy_from_slice(&row);
            }
        }
        Ancestors { words, rows }
    }
}

/// A bit for each pair of steps: whether the one comes before the other. 5,000 steps take 3 MB.
#[derive(Debug, Default)]
pub(super) struct Ancestors {
    words: usize,
    rows: Vec<u64>,
}

impl Ancestors {
    pub(super) fn has(&self, step: StepIndex, ancestor: StepIndex) -> bool {
        let word = self.rows.get(step.get() * self.words + ancestor.get() / 64);
        ancestor.get() < self.words * 64 && word.is_some_and(|word| word >> (ancestor.get() % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(after: &[&[usize]]) -> Edges {
        Edges::new(after.iter().map(|steps| steps.iter().map(|step| StepIndex::at(*step)).collect()).collect())
    }

    fn numbers(steps: &[StepIndex]) -> Vec<usize> {
        steps.iter().map(|step| step.get()).collect()
    }

    #[test]
    fn free_steps_keep_the_order_of_the_file() {
        let diamond = edges(&[&[3], &[3], &[0, 1], &[], &[]]);
        let order = diamond.topological().unwrap();
        assert_eq!(numbers(&order), [3, 0, 1, 2, 4]);
        let ancestors = &diamond.ancestors(&order);
        let pairs = |step: usize| (0..5).filter(move |other| ancestors.has(StepIndex::at(step), StepIndex::at(*other)));
        assert_eq!(pairs(2).collect::<Vec<_>>(), [0, 1, 3]);
        assert_eq!(pairs(3).count() + pairs(4).count(), 0);
    }

    #[test]
    fn each_cycle_is_found_by_its_shortest_way() {
        let two = edges(&[&[2], &[0], &[1], &[4, 0], &[3]]);
        assert!(two.topological().is_none());
        let cycles: Vec<_> = two.cycles().iter().map(|cycle| numbers(cycle)).collect();
        assert_eq!(cycles, [vec![0, 1, 2, 0], vec![3, 4, 3]]);
    }
}
