//! Walks the plan: every vertex starts when its inputs are there, independent ones at once.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use crate::build::Build;
use crate::error::{BuildError, ErrorCode, Result};
use crate::event::{Status, VertexEvent, millis};
use crate::layer::Output;
use crate::plan::{BuildPlan, Vertex};
use crate::step::{self, Given};

/// `None`: not reached, because something before it failed.
type Outcome = Result<Option<Output>>;
type Task = Shared<BoxFuture<'static, Outcome>>;

/// Solves all vertices; gives the output of each of the plan's targets. On a failure the others are stopped and waited for.
///
/// # Errors
/// The first failure of a vertex, with its id.
pub async fn solve(build: &Arc<Build>) -> Result<Vec<Output>> {
    let plan = &build.request.plan;
    let mut tasks: HashMap<&str, Task> = HashMap::new();
    for vertex in &plan.vertices {
        let inputs: Vec<Task> = vertex.op.inputs().filter_map(|id| tasks.get(id).cloned()).collect();
        let task = tokio::spawn(vertex_task(build.clone(), vertex.clone(), inputs));
        let outcome = async move { task.await.unwrap_or_else(|error| Err(BuildError::internal("solving a step", error))) };
        tasks.insert(&vertex.id, outcome.boxed().shared());
    }
    let mut failure: Option<BuildError> = None;
    for vertex in &plan.vertices {
        let Some(task) = tasks.get(vertex.id.as_str()) else { continue };
        if let Err(error) = task.clone().await {
            // What stopped because of another failure is no cause.
            let better = failure.as_ref().is_none_or(|known| known.code == ErrorCode::Canceled && error.code != ErrorCode::Canceled);
            failure = if better { Some(error) } else { failure };
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    let mut outputs = Vec::new();
    for target in plan.targets() {
        let Some(task) = tasks.get(target.vertex) else { return Err(BuildError::internal("solving the plan", "it has no target")) };
        outputs.push(task.clone().await?.ok_or_else(BuildError::canceled)?);
    }
    Ok(outputs)
}

async fn vertex_task(build: Arc<Build>, vertex: Vertex, inputs: Vec<Task>) -> Outcome {
    let mut outputs = Vec::with_capacity(inputs.len());
    for input in inputs {
        // The input's own task reports its failure.
        let Ok(Some(output)) = input.await else { return Ok(None) };
        outputs.push(output);
    }
    let mut outputs = outputs.into_iter();
    let given = Given { input: outputs.next(), others: outputs.collect() };
    let started = Instant::now();
    if build.stopped() {
        return Ok(None);
    }
    let solved = step::solve(&build, &vertex, given).await.map_err(|error| {
        let verdict = if error.code == ErrorCode::Canceled { build.verdict(&vertex.id) } else { None };
        verdict.unwrap_or(error).at(&vertex.id)
    });
    if let Err(error) = &solved {
        let status = if error.code == ErrorCode::Canceled { Status::Canceled } else { Status::Failed };
        if status == Status::Failed {
            tracing::info!(build = build.request.id, vertex = vertex.id, code = ?error.code, cause = error.cause, "{error}");
        }
        let mut event = VertexEvent::new(&vertex.id, status).with(error.outcome.as_deref());
        event.duration_ms = Some(millis(started.elapsed()));
        build.stop.cancel();
        build.events.vertex(event).await;
    }
    solved.map(Some)
}

/// The vertices from the base to a target, following each one's own file system.
pub fn chain<'a>(plan: &'a BuildPlan, target: &str) -> Vec<&'a Vertex> {
    let mut chain = Vec::new();
    let mut next = plan.vertex(target);
    while let Some(vertex) = next {
        chain.push(vertex);
        next = vertex.op.input().and_then(|id| plan.vertex(id));
    }
    chain.reverse();
    chain
}
