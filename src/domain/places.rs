//! Where a board's rows are, and the rows of what each needs: made once, because a release of a thousand services asks often.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::graph::Graph;
use super::names::ServiceName;
use super::row::Row;

/// Made of rows and graph when it is first asked for; it says nothing that they don't say.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(OnceLock<Made>);

#[derive(Clone, Debug)]
struct Made {
    rows: BTreeMap<ServiceName, usize>,
    needs: Vec<Vec<usize>>,
    /// How long the longest chain of those is that wait for it.
    heights: Vec<usize>,
}

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Places {}

impl Places {
    /// Where a service's row is.
    pub(super) fn of(&self, name: &ServiceName, rows: &[Row], graph: &Graph) -> Option<usize> {
        self.made(rows, graph).rows.get(name).copied()
    }

    /// The rows of everything that a row's service needs, directly or through others, by name; what has no row is left out.
    pub(super) fn needs(&self, row: usize, rows: &[Row], graph: &Graph) -> &[usize] {
        self.made(rows, graph).needs.get(row).map_or(&[], Vec::as_slice)
    }

    /// How long the longest chain of those is that wait for a row's service.
    pub(super) fn height(&self, row: usize, rows: &[Row], graph: &Graph) -> usize {
        self.made(rows, graph).heights.get(row).copied().unwrap_or(0)
    }

    fn made(&self, rows: &[Row], graph: &Graph) -> &Made {
        self.0.get_or_init(|| {
            let places: BTreeMap<ServiceName, usize> = rows.iter().enumerate().map(|(at, row)| (row.name.clone(), at)).collect();
            let needs = |row: &Row| graph.all_needs(&row.name).iter().filter_map(|need| places.get(need).copied()).collect();
            let needs: Vec<Vec<usize>> = rows.iter().map(needs).collect();
            let heights = heights(&places, graph);
            Made { rows: places, needs, heights }
        })
    }
}

fn heights(places: &BTreeMap<ServiceName, usize>, graph: &Graph) -> Vec<usize> {
    let mut heights = vec![0; places.len()];
    // Every user stands behind what it needs, so that its own height is known by then.
    for (name, user) in graph.order().iter().rev().filter_map(|name| Some((name, *places.get(name)?))) {
        for need in graph.needs(name).iter().filter_map(|need| places.get(need)) {
            heights[*need] = heights[*need].max(heights[user] + 1);
        }
    }
    heights
}
