//! A plan whose parts go into databases of several servers.

use std::fs;

use super::{Lake, assert_code, assert_equal};
use crate::support::{TestServer, digests, run, texts};

/// Together the servers hold what one would, each document once.
#[tokio::test]
async fn parts_go_to_several_servers() {
    let lake = Lake::new(400);
    for strategy in ["merge", "bulk"] {
        let options = ["--strategy", strategy, "--on-existing", "reject"];
        let (one, expected) = lake.one_load(&options).await;
        let servers = [(); 3].map(|()| TestServer::start(None));
        let databases = servers.each_ref().map(|server| server.database("shard"));
        let [a, b, c] = databases.each_ref().map(|database| database.url.clone());
        fs::write(lake.path("targets"), format!("0 {a}\n1-2 {b}\n# the last\n3-3 {c}\n"))
            .expect("it is writable");
        let load = |step: &str, more: &[&str]| {
            let mut command = lake.program();
            command.args(["load", "--plan", "plan.json", "--targets", "targets", "--rejects", "loaded"]);
            run(command.args(step.split(' ')).args(options).args(more))
        };
        assert_code(&load("--begin", &[]), 0);
        assert_code(&load("--begin", &[]), 0);
        for part in 0..3 {
            let loaded = load(&format!("--part {part}"), &[&format!("part-{part}")]);
            assert!(matches!(loaded.code, Some(0 | 1)), "{loaded:?}");
        }
        let reports: Vec<_> = (0..lake.splits).map(|split| format!("split-{split}.json")).collect();
        let mut finish = vec!["--report", "all.json"];
        finish.extend(reports.iter().map(String::as_str));
        let refused = load("--finish", &finish);
        assert_code(&refused, 4);
        let words = "the database of parts 3 to 3: 1 of 1 parts of the plan are not loaded yet: 3;";
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
        assert!(matches!(load("--part 3", &["part-3"]).code, Some(0 | 1)));
        assert_code(&load("--finish", &finish), 1);
        assert_code(&load("--finish", &finish), 1);
        let mut rows = 0;
        for database in &databases {
            let client = database.connect().await;
            let count = texts(&client, "SELECT count(*)::text FROM customer_profiles").await;
            let count: u64 = count[0].parse().expect("a count");
            assert!(count > 20, "each has some: {count}");
            rows += count;
        }
        let stored = &digests(&one.connect().await, "public").await["customer_profiles"];
        assert!(stored.starts_with(&format!("{rows} rows")), "{stored}");
        // All but the tables, which are in three places.
        let left = lake.loaded(&one).await;
        assert_equal(&left, &expected);
        fs::write(lake.path("targets"), format!("0-1 {a}\n2-2 {b}\n3-3 {c}\n")).expect("it is writable");
        let other = load("--begin", &[]);
        assert_code(&other, 5);
        assert!(other.stderr.contains("range of parts for this database (--targets)"), "{}", other.stderr);
        fs::write(lake.path("targets"), format!("0-1 {a}\n3 {b}\n")).expect("it is writable");
        assert_code(&load("--begin", &[]), 2);
        fs::remove_dir_all(lake.path("loaded")).expect("it is ours");
    }
}
