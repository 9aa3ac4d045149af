//! The scheduler in virtual time, on random graphs, and every order of events on every graph of three services.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::plan::{Action, Side};
use super::*;

/// What becomes of a service: well after so many seconds and gone to rest after so many more, or failed at one of the two.
#[derive(Clone, Copy, Debug)]
struct Fate {
    opens: u64,
    rests: u64,
    fails: Option<Failing>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Failing {
    BeforeItOpens,
    WhileItDrains,
}

fn fate() -> impl Strategy<Value = Fate> {
    let fails = prop_oneof![8 => Just(None), 1 => Just(Some(Failing::BeforeItOpens)), 1 => Just(Some(Failing::WhileItDrains))];
    (1u64..60, 0u64..60, fails).prop_map(|(opens, rests, fails)| Fate { opens, rests, fails })
}

fn name(number: usize) -> ServiceName {
    ServiceName::new(format!("s{number:02}"))
}

/// A graph of so many services; edges go from later to earlier ones, so that there is no circle.
fn graph(count: usize, edges: &[(usize, usize)]) -> Graph {
    let mut needs: BTreeMap<ServiceName, Vec<ServiceName>> = (0..count).map(|number| (name(number), Vec::new())).collect();
    for (from, to) in edges.iter().map(|(a, b)| (a % count, b % count)).filter(|(from, to)| from > to) {
        needs.entry(name(from)).or_default().push(name(to));
    }
    Graph::new(needs).expect("edges go one way")
}

fn board(graph: &Graph) -> Board {
    let rows = graph.order().iter().map(|name| Row::new(name.clone(), Action::Promote, Side::default(), Side::default()));
    Board { rows: rows.collect(), graph: graph.clone(), ..Board::default() }
}

fn failed(runs_now: RunsNow) -> State {
    let (reason, hint) = ("r".to_owned(), "h".to_owned());
    State::Done(End::Failed(Failure { kind: FailureKind::Failed, reason, details: vec![], log: vec![], hint, runs_now }))
}

/// Lets a release go in virtual time: all that is due at an instant happens, then whatever is ready starts.
fn play(graph: &Graph, fates: &BTreeMap<ServiceName, Fate>) -> Board {
    let mut board = board(graph);
    let mut due: BTreeSet<(u64, ServiceName, bool)> = BTreeSet::new();
    let mut now = 0;
    loop {
        for name in board.ready() {
            board.advance(&name, State::Starting, Duration::from_secs(now));
            due.insert((now + fates[&name].opens, name, false));
        }
        let Some((next, ..)) = due.first().cloned() else { return board };
        now = next;
        while let Some((at, name, is_open)) = due.first().cloned().filter(|(at, ..)| *at == now) {
            due.pop_first();
            let fate = fates[&name];
            let state = match (is_open, fate.fails) {
                (false, Some(Failing::BeforeItOpens)) => failed(RunsNow::Mixed),
                (false, _) => State::Draining,
                (true, Some(Failing::WhileItDrains)) => failed(RunsNow::New),
                (true, _) => State::Done(End::Deployed),
            };
            if state == State::Draining {
                due.insert((at + fate.rests, name.clone(), true));
            }
            board.advance(&name, state, Duration::from_secs(now));
        }
    }
}

proptest! {
    #[test]
    fn nothing_starts_early_nothing_waits_longer_than_its_own_needs_and_everything_ends(
        count in 1usize..40,
        edges in prop::collection::vec((0usize..40, 0usize..40), 0..90),
        fates in prop::collection::vec(fate(), 40),
    ) {
        let graph = graph(count, &edges);
        let fates: BTreeMap<ServiceName, Fate> = (0..count).map(|number| (name(number), fates[number])).collect();
        let board = play(&graph, &fates);
        prop_assert!(board.is_done(), "the whole graph ends");
        let row = |name: &ServiceName| board.row(name).expect("a row");
        for name in graph.order() {
            let needs = graph.all_needs(name);
            let opened: Option<Vec<Duration>> = needs.iter().map(|need| row(need).opened).collect();
            match row(name).started {
                // The very moment at which the last of its needs opened the way: neither earlier nor later.
                Some(started) => prop_assert_eq!(Some(started), opened.map(|opened| opened.into_iter().max().unwrap_or_default())),
                None => {
                    let State::Done(End::Blocked { by }) = &row(name).state else { panic!("{name} is {:?}", row(name).state) };
                    prop_assert!(needs.contains(by) && matches!(row(by).state, State::Done(End::Failed(_))), "{} by {}", name, by);
                }
            }
            if fates[name].fails.is_none() && row(name).started.is_some() {
                prop_assert_eq!(&row(name).state, &State::Done(End::Deployed), "a failure stops only what needs it");
            }
        }
        if fates.values().all(|fate| fate.fails.is_none()) {
            let last = board.rows().iter().filter_map(|row| row.ended).max().unwrap_or_default();
            prop_assert_eq!(board.critical_path().1, last, "nothing but the critical path takes time");
            prop_assert_eq!(board.verdict().exit_code, 0);
        } else {
            let has_failed = board.failures().next().is_some();
            prop_assert_eq!(board.verdict().exit_code == 0, !has_failed);
        }
    }
}

/// What may happen next to a service in flight.
fn next(state: &State) -> Vec<State> {
    match state {
        State::Starting => vec![State::Draining, failed(RunsNow::Before), State::RollingBack],
        State::RollingBack => vec![failed(RunsNow::Before)],
        State::Draining => vec![State::Done(End::Deployed), failed(RunsNow::New)],
        _ => Vec::new(),
    }
}

/// A state of the whole, to be seen once.
fn key(board: &Board) -> String {
    let states: Vec<String> = board.rows.iter().map(|row| format!("{:?}", row.state)).collect();
    format!("{}{}{}{:?}", states.join("|"), board.cancelled, board.halted, board.first_failure)
}

/// Goes through everything that can happen from here, in every order, an interruption and a halt at any moment included.
fn explore(board: &Board, seen: &mut BTreeSet<String>) {
    if !seen.insert(key(board)) {
        return;
    }
    is_sound(board);
    let mut followers = Vec::new();
    for name in board.ready() {
        followers.push((Some(name), State::Starting));
    }
    for row in board.rows.iter().filter(|row| row.state.is_in_flight()) {
        followers.extend(next(&row.state).into_iter().map(|state| (Some(row.name.clone()), state)));
    }
    let is_stuck = followers.is_empty();
    for (name, state) in followers {
        let mut after = board.clone();
        if let Some(name) = name {
            after.advance(&name, state, Duration::ZERO);
        }
        explore(&after, seen);
    }
    assert!(!is_stuck || board.is_done(), "nothing can happen any more, and it has not ended: {board:?}");
    if !board.cancelled && !board.is_done() {
        let mut after = board.clone();
        after.cancel(Duration::ZERO);
        assert!(after.is_done() && after.ready().is_empty(), "told to stop, nothing more is begun");
        assert_ne!(after.verdict().exit_code, 0, "{after:?}");
    }
    if !board.halted && board.first_failure().is_some() {
        let mut after = board.clone();
        after.halt(Duration::ZERO);
        assert!(after.ready().is_empty(), "a release that goes back begins nothing");
        goes_back(&after);
        explore(&after, seen);
    }
}

fn is_sound(board: &Board) {
    let states: BTreeMap<&ServiceName, &State> = board.rows.iter().map(|row| (&row.name, &row.state)).collect();
    for name in board.ready() {
        assert_eq!(states[&name], &State::Waiting);
        assert!(board.graph.all_needs(&name).iter().all(|need| states[need].opens_the_way()), "{name} is early: {states:?}");
    }
    let is_all_deployed = states.values().all(|state| **state == State::Done(End::Deployed));
    if board.is_done() {
        assert_eq!(board.verdict().exit_code == 0, is_all_deployed, "a success is one of every service: {states:?}");
        assert!(board.verdict().result != RunResult::RolledBack || !states.values().any(|state| **state == State::Done(End::Deployed)));
    }
}

/// Whatever was reached, once all that runs has gone back, the result says so; if one could not, it does not.
fn goes_back(board: &Board) {
    if board.rows.iter().any(|row| row.state.is_in_flight()) {
        return;
    }
    let changed: Vec<ServiceName> = board
        .ends()
        .filter(|(_, end)| match end {
            End::Deployed => true,
            End::Failed(failure) => failure.runs_now != RunsNow::Before,
            _ => false,
        })
        .map(|(row, _)| row.name.clone())
        .collect();
    let mut back = board.clone();
    for name in &changed {
        back.advance(name, State::RollingBack, Duration::ZERO);
        back.taken_back(name, Ok(()), Duration::ZERO);
    }
    assert_eq!(back.verdict().result, RunResult::RolledBack, "{back:?}");
    let Some(last) = changed.last() else { return };
    let State::Done(End::Failed(failure)) = failed(RunsNow::New) else { return };
    back.advance(last, State::RollingBack, Duration::ZERO);
    back.taken_back(last, Err(Failure { kind: FailureKind::NotTakenBack, ..failure }), Duration::ZERO);
    assert_eq!(back.verdict().result, RunResult::Failed, "{back:?}");
}

#[test]
fn every_order_of_events_on_every_graph_of_three_services_keeps_the_rules() {
    let possible = [(1, 0), (2, 0), (2, 1)];
    let mut states = 0;
    for chosen in 0..1usize << possible.len() {
        let edges: Vec<(usize, usize)> =
            possible.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, edge)| *edge).collect();
        let mut seen = BTreeSet::new();
        explore(&board(&graph(3, &edges)), &mut seen);
        states += seen.len();
    }
    assert!(states > 1000, "{states} states");
}
