//! Shows the release as it goes: a live table on a terminal, plain lines everywhere else.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

use crate::clients::console::Console;
use crate::domain::board::{Board, State};
use crate::domain::names::ServiceName;
use crate::report::table;

/// A living table is drawn this often.
const REDRAW: Duration = Duration::from_millis(200);

/// A display that goes on until it is finished.
pub struct Progress {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Progress {
    /// Begins to show.
    pub fn start(console: Console, board: watch::Receiver<Board>, began: Instant) -> Self {
        let (stop, stopped) = oneshot::channel();
        let fits = board.borrow().rows().len() + 2 < console.height();
        let task = if console.is_live() && fits {
            tokio::spawn(live(console, board, began, stopped))
        } else {
            tokio::spawn(lines(console, board, began, stopped))
        };
        Self { stop, task }
    }

    /// Shows the last state and ends.
    pub async fn finish(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn live(console: Console, board: watch::Receiver<Board>, began: Instant, mut stopped: oneshot::Receiver<()>) {
    let mut tick = interval(REDRAW);
    let mut drawn = 0;
    let mut draw = || {
        let lines = table::live(&board.borrow(), began.elapsed());
        console.redraw(&lines, drawn);
        drawn = lines.len();
    };
    loop {
        tokio::select! {
            _ = tick.tick() => draw(),
            _ = &mut stopped => return draw(),
        }
    }
}

async fn lines(console: Console, mut board: watch::Receiver<Board>, began: Instant, mut stopped: oneshot::Receiver<()>) {
    let mut shown: BTreeMap<ServiceName, State> = BTreeMap::new();
    loop {
        tell(&console, &board.borrow_and_update(), &mut shown, began.elapsed());
        tokio::select! {
            changed = board.changed() => if changed.is_err() { return },
            _ = &mut stopped => return tell(&console, &board.borrow(), &mut shown, began.elapsed()),
        }
    }
}

/// A line for each service whose state is new.
fn tell(console: &Console, board: &Board, shown: &mut BTreeMap<ServiceName, State>, now: Duration) {
    for row in board.rows() {
        if shown.get(&row.name) == Some(&row.state) {
            continue;
        }
        shown.insert(row.name.clone(), row.state.clone());
        if !matches!(row.state, State::Waiting | State::Rolling { running: 0, .. }) {
            console.line(&table::log_line(row, now));
        }
    }
}
