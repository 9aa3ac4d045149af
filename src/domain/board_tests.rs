//! The scheduler on small and on random graphs: never early, never idle with work ready, and every graph ends.

use proptest::prelude::*;

use super::*;
use crate::domain::plan::Side;

fn board(edges: &[(&str, &[&str])]) -> Board {
    let needs: BTreeMap<ServiceName, Vec<ServiceName>> =
        edges.iter().map(|(name, needs)| (ServiceName::from(*name), needs.iter().map(|need| ServiceName::from(*need)).collect())).collect();
    from(Graph::new(needs).expect("no circle"))
}

fn from(graph: Graph) -> Board {
    let rows = graph.order().iter().map(|name| Row::new(name.clone(), Action::Promote, Side::default(), Side::default()));
    Board { rows: rows.collect(), graph, ..Board::default() }
}

fn names(board: &Board) -> Vec<String> {
    board.ready().iter().map(ToString::to_string).collect()
}

fn failure(kind: FailureKind, runs_now: RunsNow) -> State {
    State::Done(End::Failed(Failure { kind, reason: "r".into(), details: vec![], log: vec![], hint: "h".into(), runs_now }))
}

const ESCHER: &[(&str, &[&str])] = &[
    ("asset-store", &[]),
    ("context-engine", &["asset-store"]),
    ("analysis-agent", &["context-engine"]),
    ("playbook-agent", &["context-engine"]),
    ("integrations-agent", &["context-engine"]),
    ("gateway", &["analysis-agent", "playbook-agent", "integrations-agent"]),
    ("autoresolver", &[]),
];

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn agents_start_side_by_side_and_the_independent_one_at_once() {
    let mut board = board(ESCHER);
    assert_eq!(names(&board), ["asset-store", "autoresolver"]);
    board.advance(&"asset-store".into(), State::Starting, at(0));
    assert_eq!(names(&board), ["autoresolver"]);
    board.advance(&"asset-store".into(), State::Draining, at(30));
    assert_eq!(names(&board), ["context-engine", "autoresolver"], "healthy is enough: old tasks hold nobody up");
    board.advance(&"context-engine".into(), State::Done(End::Deployed), at(60));
    let mut ready = names(&board);
    ready.sort();
    assert_eq!(ready, ["analysis-agent", "autoresolver", "integrations-agent", "playbook-agent"]);
}

#[test]
fn those_come_first_on_which_the_longest_chain_waits() {
    let mut board = board(&[("a", &[]), ("b", &[]), ("c", &["b"]), ("d", &[]), ("e", &["d"]), ("f", &["e"])]);
    assert_eq!(names(&board), ["d", "b", "a"]);
    assert!(board.holds_others_up(&"e".into()) && !board.holds_others_up(&"f".into()) && !board.holds_others_up(&"none".into()));
    board.advance(&"d".into(), State::Done(End::Deployed), at(9));
    board.advance(&"b".into(), State::Done(End::Deployed), at(9));
    assert_eq!(names(&board), ["e", "a", "c"]);
}

#[test]
fn a_failure_stops_only_what_needs_it_and_names_itself() {
    let mut board = board(ESCHER);
    board.advance(&"context-engine".into(), failure(FailureKind::RolledBack, RunsNow::Before), at(9));
    assert_eq!(names(&board), ["asset-store", "autoresolver"]);
    let blocked: Vec<String> = board
        .ends()
        .filter_map(|(row, end)| if let End::Blocked { by } = end { Some(format!("{} by {by}", row.name)) } else { None })
        .collect();
    let by = |name: &str| format!("{name} by context-engine");
    let mut expected = ["analysis-agent", "playbook-agent", "integrations-agent", "gateway"].map(by);
    expected.sort();
    let mut blocked = blocked;
    blocked.sort();
    assert_eq!(blocked, expected);
}

#[test]
fn a_service_that_goes_back_already_blocks() {
    let mut board = board(ESCHER);
    board.advance(&"context-engine".into(), State::RollingBack, at(9));
    assert!(!names(&board).contains(&"gateway".to_owned()));
    assert!(matches!(board.row(&"gateway".into()).map(|row| &row.state), Some(State::Done(End::Blocked { .. }))));
}

#[test]
fn a_smoke_failure_after_draining_blocks_what_has_not_begun() {
    let mut board = board(&[("a", &[]), ("b", &["a"])]);
    board.advance(&"a".into(), failure(FailureKind::Smoke, RunsNow::New), at(1));
    assert!(board.is_done());
    assert_eq!((board.verdict().result, board.verdict().exit_code), (RunResult::Failed, 5));
}

#[test]
fn cancelling_begins_nothing_more_and_says_what_was_left() {
    let mut board = board(ESCHER);
    board.advance(&"asset-store".into(), State::Rolling { running: 0, desired: 1 }, at(1));
    board.cancel(at(2));
    assert!(board.is_done() && board.ready().is_empty());
    assert_eq!(board.row(&"asset-store".into()).map(|row| &row.state), Some(&State::Done(End::LeftInFlight)));
    assert_eq!(board.verdict().exit_code, 130);
}

#[test]
fn what_fails_after_a_run_was_told_to_stop_is_not_its_cause() {
    for (stops_first, result) in [(true, RunResult::Cancelled), (false, RunResult::Refused)] {
        let mut board = board(ESCHER);
        board.advance(&"asset-store".into(), State::Starting, at(0));
        if stops_first {
            board.stop();
        }
        board.advance(&"asset-store".into(), failure(FailureKind::Denied, RunsNow::Before), at(1));
        board.cancel(at(2));
        assert_eq!(board.verdict().result, result);
    }
}

#[test]
fn the_critical_path_is_the_one_that_was() {
    let mut board = board(&[("a", &[]), ("b", &["a"]), ("c", &[])]);
    for (name, started, opened, ended) in [("a", 0, 10, 40), ("c", 0, 5, 30), ("b", 10, 20, 55)] {
        board.advance(&name.into(), State::Starting, at(started));
        board.advance(&name.into(), State::Draining, at(opened));
        board.advance(&name.into(), State::Done(End::Deployed), at(ended));
    }
    assert_eq!(board.critical_path(), (vec!["a".into(), "b".into()], at(55)));
}

proptest! {
    /// Each step starts whatever is ready, then ends one service in flight, well or badly, as chance has it.
    #[test]
    fn every_graph_ends_and_nothing_starts_early(
        edges in prop::collection::vec((0usize..16, 0usize..16), 0..50),
        fates in prop::collection::vec(any::<(u8, bool)>(), 64),
    ) {
        let mut needs: BTreeMap<ServiceName, Vec<ServiceName>> =
            (0..16).map(|i| (ServiceName::new(format!("s{i:02}")), Vec::new())).collect();
        for (a, b) in edges.iter().filter(|(a, b)| a > b) {
            needs.entry(ServiceName::new(format!("s{a:02}"))).or_default().push(ServiceName::new(format!("s{b:02}")));
        }
        let graph = Graph::new(needs).expect("edges go one way");
        let mut board = from(graph.clone());
        let mut flying: Vec<ServiceName> = Vec::new();
        for (pick, well) in fates {
            for name in board.ready() {
                for need in graph.all_needs(&name) {
                    prop_assert!(board.row(&need).is_some_and(|row| row.state.opens_the_way()), "{} before {}", name, need);
                }
                board.advance(&name, State::Starting, Duration::ZERO);
                flying.push(name);
            }
            if flying.is_empty() {
                break;
            }
            let name = flying.swap_remove(usize::from(pick) % flying.len());
            let end = if well { State::Done(End::Deployed) } else { failure(FailureKind::Failed, RunsNow::Mixed) };
            board.advance(&name, end, Duration::ZERO);
        }
        prop_assert!(board.is_done());
    }
}
