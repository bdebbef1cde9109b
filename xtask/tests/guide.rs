//! The French guide: every command in it works as printed, and its figures are those of
//! the committed measurements.

use std::net::TcpListener;

use crate::support::TestLab;
use crate::support::guide::{self, Form, Walk};

#[test]
fn every_block_says_who_types_it() {
    let blocks = guide::blocks();
    assert!(blocks.len() > 30, "the guide has {} blocks", blocks.len());
    assert_eq!(guide::mismarked(&blocks), [""; 0]);
}

#[test]
fn a_block_with_a_wrong_mark_is_found() {
    let page =
        "```sh\nls\n```\n```sh court montré\nls\n```\n```text\nx\n```\n```sh tapé\nls\n```\n";
    let blocks = guide::parse("page.md", page);
    assert_eq!(guide::mismarked(&blocks).len(), 3);
}

#[test]
fn what_is_expected_is_looked_for_in_order() {
    let output = "pod/flask-1   1/1  Running\n{\"count\":12}\n";
    assert_eq!(
        guide::missing("pod/flask-… Running\n{\"count\":…}", output),
        None
    );
    let wrong = |expected: &str| guide::missing(expected, output).is_some();
    assert!(wrong("{\"count\":13}"));
    assert!(wrong("{\"count\":12}\npod/flask-…"));
}

/// On this machine, without Docker; what needs a cluster runs with the tests on k3d.
#[test]
fn the_short_form_works_as_printed() {
    let lab = TestLab::new("guide");
    // Known beforehand, since the guide states the address.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    lab.configure("port = 0", &format!("port = {port}"));
    let walk = Walk {
        lab: &lab,
        form: Form::Short,
        cluster: false,
        ports: vec![(8080, port)],
    };
    walk.run(&guide::blocks());
    assert!(lab.processes().is_empty(), "{:?}", lab.processes());
}
