//! Searching among the images of this host.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::{Agent, busybox_tar};

#[test]
fn finds_names_that_hold_the_term() {
    let agent = Agent::start();
    agent.import("shop/web:1", &busybox_tar());
    agent.import("shop/web:2", &busybox_tar());
    let names = |query: &str| {
        let found = agent.client.get(&format!("/images/search?{query}"));
        found.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("term=shop"), ["shop/web"]);
    assert_eq!(names("term=nothing-like-it"), [""; 0]);
    assert_eq!(names("term=shop&filters=%7B%22stars%22%3A%5B%223%22%5D%7D"), [""; 0]);
    for bad in ["term=", "term=x&limit=101", "term=x&filters=%7B%22a%22%3A%5B%22b%22%5D%7D"] {
        assert_eq!(agent.client.request("GET", &format!("/images/search?{bad}"), b"").status, 400, "{bad}");
    }
}
