//! Amazon CloudWatch Logs: the last words of a task.

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Region;

use super::aws::Aws;
use super::call::CallError;
use crate::domain::task_definition::LogPlace;

/// How many lines are worth reading.
const LINES: i32 = 50;
/// A page may be empty while more exist: so many are asked for before there is nothing.
const PAGES: usize = 5;

/// The account's logs.
#[derive(Clone, Debug)]
pub struct Logs {
    aws: Aws,
}

impl Logs {
    /// The client.
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone() }
    }

    /// The last lines of a task's stream, oldest first.
    ///
    /// # Errors
    /// `CallError`, also when there is no such stream: the task may never have run.
    pub async fn tail(&self, place: &LogPlace, task: &str) -> Result<Vec<String>, CallError> {
        let mut config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.aws.config);
        if let Some(region) = &place.region {
            config = config.region(Region::new(region.clone()));
        }
        let client = Client::from_conf(config.build());
        let request = client.get_log_events().log_group_name(&place.group).log_stream_name(place.stream(task)).limit(LINES);
        let mut token: Option<String> = None;
        for _ in 0..PAGES {
            let request = request.clone().start_from_head(false).set_next_token(token.clone());
            let answer = request.send().await.map_err(|error| CallError::new("GetLogEvents", &error))?;
            let lines: Vec<String> = answer.events().iter().filter_map(|event| event.message()).map(str::to_owned).collect();
            let next = answer.next_backward_token().map(str::to_owned);
            // The end is told by a token that comes back unchanged.
            if !lines.is_empty() || next.is_none() || next == token {
                return Ok(lines);
            }
            token = next;
        }
        Ok(Vec::new())
    }
}
