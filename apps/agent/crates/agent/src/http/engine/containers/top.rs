//! `GET /containers/{id}/top`: the processes as the host sees them, for nothing has to be installed in the container.
use std::collections::HashSet;
use std::process::Stdio;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::error::{ApiError, ApiResult};
use crate::http::query::Params;
use crate::state::App;

const PATIENCE: Duration = Duration::from_secs(10);
/// Of `ps`; a host with more processes than that has other worries.
const LARGEST_OUTPUT: u64 = 16 << 20;
const LONGEST_ARGUMENTS: usize = 1_024;

pub async fn top(State(app): State<App>, Path(id): Path<String>, params: Params) -> ApiResult<Json<Value>> {
    let container = app.containers.get(&id)?;
    if !container.state().is_running() {
        return Err(ApiError::conflict(format!("container {} is not running", container.id)));
    }
    let args = arguments(params.text("ps_args").filter(|args| !args.trim().is_empty()).unwrap_or("-ef"))?;
    let output = ps(&args).await?;
    // After `ps`, so that every process it may show of this container is known or gone.
    let group = app.containers.group(&container);
    let pids = tokio::task::spawn_blocking(move || group.pids()).await;
    let pids = pids.map_err(|error| ApiError::internal("cannot read the processes", error))?;
    let (titles, processes) = select(&output, &pids.into_iter().collect())?;
    app.containers.event(&container, "top", &[]);
    Ok(Json(json!({ "Titles": titles, "Processes": processes })))
}

/// As dockerd: split at blanks, no shell, and no column under another's name, for the column PID tells whose a line is.
fn arguments(text: &str) -> ApiResult<Vec<String>> {
    if text.len() > LONGEST_ARGUMENTS {
        return Err(ApiError::bad_request(format!("the arguments of ps are longer than {LONGEST_ARGUMENTS} bytes")));
    }
    match text.contains('=') || text.contains('\0') {
        true => Err(ApiError::bad_request(format!("invalid ps arguments {text:?}: columns cannot be given other titles"))),
        false => Ok(text.split_whitespace().map(String::from).collect()),
    }
}

async fn ps(args: &[String]) -> ApiResult<String> {
    let failed = |error: std::io::Error| ApiError::internal("cannot run ps on this host", error);
    let mut command = Command::new("ps");
    command.args(args).env("LC_ALL", "C").env("COLUMNS", "4096").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().map_err(failed)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(ApiError::internal("cannot run ps on this host", "no pipes"));
    };
    let read = async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (stdout.take(LARGEST_OUTPUT), stderr.take(LARGEST_OUTPUT));
        tokio::try_join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err))?;
        Ok::<_, std::io::Error>((child.wait().await?, out, err))
    };
    let read =
        tokio::time::timeout(PATIENCE, read).await.map_err(|_| ApiError::internal("cannot list the processes", "ps does not end"))?;
    let (status, out, err) = read.map_err(failed)?;
    match status.success() {
        true => Ok(String::from_utf8_lossy(&out).into_owned()),
        false => Err(ApiError::bad_request(format!("ps: {}", String::from_utf8_lossy(&err).lines().next().unwrap_or("it failed")))),
    }
}

/// The lines whose PID is one of `pids`.
fn select<'a>(output: &'a str, pids: &HashSet<i32>) -> ApiResult<(Vec<&'a str>, Vec<Vec<String>>)> {
    let mut lines = output.lines();
    let titles: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let missing = || ApiError::bad_request("Couldn't find PID field in ps output");
    let column = titles.iter().position(|title| *title == "PID").ok_or_else(missing)?;
    let mut processes = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let Some(pid) = fields.get(column).and_then(|pid| pid.parse::<i32>().ok()) else { continue };
        if !pids.contains(&pid) {
            continue;
        }
        // The last column is a command line, with blanks of its own.
        let (first, rest) = fields.split_at(fields.len().min(titles.len()) - 1);
        let mut row: Vec<String> = first.iter().map(|field| (*field).to_owned()).collect();
        row.push(rest.join(" "));
        processes.push(row);
    }
    Ok((titles, processes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_processes_are_shown() {
        let output = "UID        PID  PPID  C STIME TTY          TIME CMD\nroot         1     0  0 10:00 ?        00:00:02 /sbin/init\n\
                      root        77     1  0 10:01 ?        00:00:00 sh -c sleep 1\n";
        let (titles, rows) = select(output, &HashSet::from([77])).unwrap();
        assert_eq!((titles[0], titles[7], rows.len()), ("UID", "CMD", 1));
        assert_eq!((rows[0][1].as_str(), rows[0][7].as_str()), ("77", "sh -c sleep 1"));
        assert!(select("CMD\nsh\n", &HashSet::new()).is_err());
    }

    #[test]
    fn titles_cannot_be_forged() {
        assert!(arguments("-o ppid=PID").is_err() && arguments(&"x".repeat(2_000)).is_err());
        assert_eq!(arguments(" aux  -w").unwrap(), ["aux", "-w"]);
    }
}
