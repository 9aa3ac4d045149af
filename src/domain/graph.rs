//! Who needs whom: the order of a release.

use std::collections::{BTreeMap, BTreeSet};

use super::names::ServiceName;

/// The services and their needs; acyclic by construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    needs: BTreeMap<ServiceName, Vec<ServiceName>>,
    order: Vec<ServiceName>,
}

/// A circle of needs, from a service back to itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(" → "))]
pub struct Cycle(pub Vec<ServiceName>);

impl Graph {
    /// Builds the graph; needs that name no service of the map are left out (whoever reads the files reports them).
    ///
    /// # Errors
    /// `Cycle` with the whole circle where no order exists.
    pub fn new(needs: BTreeMap<ServiceName, Vec<ServiceName>>) -> Result<Self, Cycle> {
        let mut order = Vec::with_capacity(needs.len());
        let mut placed = BTreeSet::new();
        for name in needs.keys() {
            place(name, &needs, &mut placed, &mut Vec::new(), &mut order)?;
        }
        Ok(Self { needs, order })
    }

    /// Every service after everything it needs; by name where nothing else decides.
    pub fn order(&self) -> &[ServiceName] {
        &self.order
    }

    /// What the service needs directly.
    pub fn needs(&self, name: &ServiceName) -> &[ServiceName] {
        self.needs.get(name).map_or(&[], Vec::as_slice)
    }

    /// What the service needs, directly or through others.
    pub fn all_needs(&self, name: &ServiceName) -> BTreeSet<ServiceName> {
        self.below(name).into_iter().cloned().collect()
    }

    fn below(&self, name: &ServiceName) -> BTreeSet<&ServiceName> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&ServiceName> = self.needs(name).iter().collect();
        while let Some(next) = open.pop() {
            if found.insert(next) {
                open.extend(self.needs(next));
            }
        }
        found
    }

    /// The way back, for some of the services: each needs what it is needed by, directly or through others.
    pub fn reversed(&self, among: &BTreeSet<ServiceName>) -> Self {
        let mut needs: BTreeMap<ServiceName, Vec<ServiceName>> = among.iter().map(|name| (name.clone(), Vec::new())).collect();
        for user in among {
            for name in self.below(user) {
                needs.entry(name.clone()).and_modify(|users| users.push(user.clone()));
            }
        }
        let order = self.order.iter().rev().filter(|name| among.contains(*name)).cloned().collect();
        Self { needs, order }
    }

    /// The longest chain by weight that ends in a given service: its names and the sum.
    ///
    /// `weight` is asked for the time a service holds up the next one, `last` for the time at the end of a chain.
    pub fn critical_path(&self, weight: impl Fn(&ServiceName) -> f64, last: impl Fn(&ServiceName) -> f64) -> (Vec<ServiceName>, f64) {
        let mut before: BTreeMap<&ServiceName, (f64, Option<&ServiceName>)> = BTreeMap::new();
        let mut best: Option<(&ServiceName, f64)> = None;
        for name in &self.order {
            let (start, via) = self
                .needs(name)
                .iter()
                .filter_map(|need| before.get(need).map(|(start, _)| (start + weight(need), Some(need))))
                .fold((0.0, None), |a, b| if b.0 > a.0 { b } else { a });
            before.insert(name, (start, via));
            let end = start + last(name);
            if best.is_none_or(|(_, longest)| end > longest) {
                best = Some((name, end));
            }
        }
        let Some((end, length)) = best else { return (Vec::new(), 0.0) };
        let mut path = vec![end.clone()];
        let mut at = end;
        while let Some((_, Some(via))) = before.get(at) {
            path.push((*via).clone());
            at = via;
        }
        path.reverse();
        (path, length)
    }
}

fn place<'a>(
    name: &'a ServiceName,
    needs: &'a BTreeMap<ServiceName, Vec<ServiceName>>,
    placed: &mut BTreeSet<&'a ServiceName>,
    trail: &mut Vec<&'a ServiceName>,
    order: &mut Vec<ServiceName>,
) -> Result<(), Cycle> {
    if placed.contains(name) {
        return Ok(());
    }
    if let Some(start) = trail.iter().position(|seen| *seen == name) {
        let circle = trail.iter().skip(start).copied().chain([name]).cloned().collect();
        return Err(Cycle(circle));
    }
    trail.push(name);
    let known = needs.get(name).into_iter().flatten().filter_map(|need| needs.get_key_value(need));
    for (need, _) in known {
        place(need, needs, placed, trail, order)?;
    }
    trail.pop();
    placed.insert(name);
    order.push(name.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Result<Graph, Cycle> {
        Graph::new(
            edges
                .iter()
                .map(|(name, needs)| (ServiceName::from(*name), needs.iter().map(|need| ServiceName::from(*need)).collect()))
                .collect(),
        )
    }

    #[test]
    fn a_circle_is_named_whole() {
        let error = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["a"])]).expect_err("a circle");
        assert_eq!(error.to_string(), "a → b → c → a");
        let own = graph(&[("a", &["a"])]).expect_err("a circle");
        assert_eq!(own.to_string(), "a → a");
    }

    #[test]
    fn the_critical_path_ends_with_a_whole_deployment() {
        let graph = graph(&[("store", &[]), ("engine", &["store"]), ("slow", &[])]).expect("no circle");
        let (path, length) = graph.critical_path(|_| 2.0, |name| if name.as_str() == "slow" { 5.0 } else { 4.0 });
        assert_eq!(path, ["store".into(), "engine".into()]);
        assert!((length - 6.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn nothing_stands_before_what_it_needs(edges in prop::collection::vec((0usize..20, 0usize..20), 0..60)) {
            let mut needs: BTreeMap<ServiceName, Vec<ServiceName>> =
                (0..20).map(|i| (ServiceName::new(format!("s{i}")), Vec::new())).collect();
            for (a, b) in edges.iter().filter(|(a, b)| a > b) {
                needs.entry(ServiceName::new(format!("s{a}"))).or_default().push(ServiceName::new(format!("s{b}")));
            }
            let graph = Graph::new(needs).expect("edges go one way");
            let at = |name: &ServiceName| graph.order().iter().position(|other| other == name);
            for name in graph.order() {
                for need in graph.all_needs(name) {
                    prop_assert!(at(&need) < at(name));
                }
            }
        }
    }
}
