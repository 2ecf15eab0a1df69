//! How long the builder's own work takes. Prints medians and judges none: what is slow depends on the machine.
//! `cargo test --release -p slipway-build --test speed -- --nocapture` measures for real.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod support;

use std::time::{Duration, Instant};

use support::{File, Fixture, Plan};

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_build_takes_no_time() {
    let fixture = Fixture::new();
    let names: Vec<String> = (0..500).map(|i| format!("src/m{}/file{i}.js", i % 20)).collect();
    let text = "const x = 1;\n".repeat(200);
    let context: Vec<File<'_>> = names.iter().map(|name| File::Text(name, &text)).collect();
    let mut plan = Plan::from(&fixture);
    plan.workdir("/app").copy(&["src/m0"], "/app/m0/").run("echo deps > /app/deps").copy(&["."], "/app/").run("echo built > /app/out");
    plan.stage(&fixture).workdir("/srv").copy_with(&["/app"], "/srv/", serde_json::json!({ "from": "v5" }));
    let first = Instant::now();
    fixture.build(plan.request("b"), &context).await.image();
    let first = first.elapsed();
    let mut times = Vec::new();
    for _ in 0..15 {
        let started = Instant::now();
        fixture.build(plan.request("b"), &context).await.image();
        times.push(started.elapsed());
    }
    println!("first build {first:?}, unchanged build (500 files, 1.3 MB) {:?}", median(times));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_costs_little() {
    let fixture = Fixture::new();
    let mut plan = Plan::from(&fixture);
    for i in 0..20 {
        plan.run(&format!("echo {i} > /f{i}"));
    }
    let started = Instant::now();
    fixture.build(plan.request("b"), &[]).await.image();
    println!("20 RUN steps: {:?} each, with the test's own executor", started.elapsed() / 20);
    let mut plan = Plan::from(&fixture);
    for i in 0..20 {
        plan.copy(&["a"], &format!("/copy{i}"));
    }
    let started = Instant::now();
    fixture.build(plan.request("b"), &[File::Text("a", "a")]).await.image();
    println!("20 COPY steps: {:?} each", started.elapsed() / 20);
    let started = Instant::now();
    fixture.build(plan.request("b"), &[File::Text("a", "a")]).await.image();
    println!("20 cached COPY steps: {:?} in all", started.elapsed());
}
